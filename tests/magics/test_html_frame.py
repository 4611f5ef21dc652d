"""``-f html --render``: what gets into the frame, and what the frame may do."""

from __future__ import annotations

import html
import re

import pytest

from jupyter_localllm.magics.output.html_frame import framed, sanitised

HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt src=http://h.invalid/x.js></sCrIpT>",
    "<img src=http://h.invalid/a.png>",
    "<img src=x onerror=alert(1)>",
    "<img srcset='http://h.invalid/a.png 2x'>",
    "<svg><script>alert(1)</script></svg>",
    "<svg onload=alert(1)>",
    "<math><mtext></form><mglyph><style></math><img src onerror=alert(1)>",
    "<iframe src=http://h.invalid></iframe>",
    "<iframe srcdoc='<script>x</script>'>",
    "<object data=http://h.invalid>",
    "<embed src=http://h.invalid>",
    "<link rel=stylesheet href=http://h.invalid/x.css>",
    "<base href=http://h.invalid/>",
    "<meta http-equiv=refresh content='0;url=http://h.invalid'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='http://h.invalid'>x</a>",
    "<form action=http://h.invalid><input name=a></form>",
    '<p style="background:url(http://h.invalid/a.png)">x</p>',
    "<p style='background:\\75 rl(http://h.invalid)'>x</p>",
    "<p style='width:expression(alert(1))'>x</p>",
    "<style>@import 'http://h.invalid/x.css';</style>",
    "<style>p { background: url(http://h.invalid) }</style>",
    "<style></style><script>alert(1)</script></style>",
    "<style>p{}</style </head><script>alert(1)</script>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<textarea></textarea><script>alert(1)</script>",
    "<template><script>x</script></template>",
    "<video src=http://h.invalid/v.mp4></video><audio src=http://h.invalid></audio>",
    "<p title='\"><script>alert(1)</script>'>x",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<b\x00><script\x00>alert(1)</script>",
    '"></iframe><script>alert(1)</script>',
    "<button data-commandlinker-command='terminal:open' formaction=http://h.invalid>x</button>",
    "<p onclick=alert(1) id=a class=b>x</p>",
]
_TAG = re.compile(r"<\s*([a-z0-9]+)([^>]*)>", re.I)


@pytest.mark.parametrize("embed", ["<embed src=x>", "<embed src=x />", "<embed src=x></embed>"])
def test_what_stands_behind_an_embed_is_shown(embed: str) -> None:
    """Seen: the rest of the page was missing, since nothing closes an ``<embed>``."""
    assert sanitised(f"<p>a</p>{embed}<p>rest</p>") == "<p>a</p><p>rest</p>"


@pytest.mark.parametrize("source", HOSTILE)
def test_nothing_that_runs_or_loads_is_left(source: str) -> None:
    for text in (sanitised(source), sanitised(source * 2), sanitised(source[:-1])):
        for name, attributes in _TAG.findall(text):
            assert name.lower() not in {
                "script", "style", "iframe", "object", "embed", "link", "base", "meta", "form",
                "input", "svg", "math", "video", "audio", "template", "noscript",
            }  # fmt: skip
            names = re.findall(r'\s([\w:-]+)="', attributes)
            assert not {n for n in names if n.startswith(("on", "data-"))}
            assert not {"href", "src", "srcset", "action", "formaction", "srcdoc"} & set(names)
            assert "h.invalid" not in attributes.partition("title=")[0]


@pytest.mark.parametrize("source", HOSTILE)
def test_the_frame_is_one_element_without_rights(source: str) -> None:
    text = framed(source)
    assert text.count("<") == 2
    assert text.startswith('<iframe sandbox="" srcdoc="')
    assert text.endswith("></iframe>")
    document = html.unescape(text.split('srcdoc="')[1].split('" title=')[0])
    assert "default-src 'none'" in document
    assert document.index("Content-Security-Policy") < document.index("<style>")
    assert "h.invalid" not in document.split("<body>")[0]
    assert document.count("</head>") == 1


def test_harmless_html_stays() -> None:
    source = (
        '<h1 class="t">A &amp; B</h1><table><tr><td colspan="2">x</td></tr></table><br>'
        '<p style="color: red; position: fixed">y</p>'
        '<img src="data:image/png;base64,iVBORw0KGgo=" alt="dot"><ul><li>open'
    )
    text = sanitised(source)
    assert '<h1 class="t">A &amp; B</h1>' in text
    assert '<td colspan="2">x</td>' in text
    assert "color:red" in text
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in text
    assert text.endswith("<ul><li>open</li></ul>")


def test_style_sheets_of_the_page_are_kept_as_plain_rules() -> None:
    text = html.unescape(framed("<style>h1 { color: red } p{background:url(x)}</style><h1>a</h1>"))
    assert "h1{color:red}" in text
    assert "url(" not in text
