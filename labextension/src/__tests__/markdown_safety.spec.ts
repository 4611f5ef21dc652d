/** What of a model's HTML is let through, with the sanitiser that JupyterLab uses. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

// By its file: the package as a whole needs a page.
import { Sanitizer } from '@jupyterlab/apputils/lib/sanitizer.js';

import { readLink, saysPlace } from '../chat/markdown/links.js';
import {
  isAllowedAttribute,
  isAllowedTag,
  languageOf,
  safeHtmlOptions,
  withoutDiagramFences
} from '../chat/markdown/safe_html.js';

const sanitizer = new Sanitizer();
const options = safeHtmlOptions({ image: text => `[image not loaded: ${text}]` });

function clean(html: string): string {
  return sanitizer.sanitize(html, options);
}

describe('HTML of a model', () => {
  it('keeps what is only text', () => {
    const table = '<table><thead><tr><th align="right">a</th></tr></thead></table>';
    for (const html of ['<p>a <b>b</b><br />c</p>', table, '<ol start="3"><li>x</li></ol>']) {
      assert.equal(clean(html), html);
    }
  });

  it('shows images as text and loads nothing', () => {
    assert.equal(
      clean('<p>a<img src="https://x.example/?q" srcset="y" alt="a <b> cat">b</p>'),
      '<p>a<span>[image not loaded: a &lt;b&gt; cat]</span>b</p>'
    );
    const loaders = [
      '<audio src="//x"></audio>',
      '<video poster="//x"><source src="//x"></video>',
      '<picture><source srcset="//x"></picture>',
      '<link rel="preconnect" href="//x"><meta http-equiv="refresh" content="0;//x"><base href="//x">',
      '<iframe src="//x"></iframe><object data="//x"></object><embed src="//x">',
      '<svg><image href="//x"/><use href="//x#a"/></svg>',
      '<style>@import "//x"</style>',
      '<math><maction xlink:href="//x">a</maction></math>',
      '<body background="//x"><td background="//x">',
      '<div style="background:url(//x)">'
    ];
    for (const html of loaders) {
      assert.ok(!clean(html).includes('//x'), `${html} -> ${clean(html)}`);
    }
  });

  it('gives no attribute but those of tables, lists and links', () => {
    const html =
      '<p id="location" name="cookie" class="jp-Button" style="position:fixed" title="t" ' +
      'data-commandlinker-command="x" aria-label="y" onclick="z" tabindex="1" hidden>a</p>';
    assert.equal(clean(html), '<p>a</p>');
    assert.equal(clean('<span class="jp-Dialog \u037ca">a</span>'), '<span class="\u037ca">a</span>');
    assert.equal(clean('<button data-commandlinker-command="x">a</button>'), 'a');
    assert.equal(clean('<form action="//x"><input name="a" value="b"></form>'), '<span></span>');
  });

  it('turns the boxes of task lists into characters', () => {
    assert.equal(
      clean('<li><input type="checkbox" checked disabled> a</li>'),
      '<li><span>☑ </span> a</li>'
    );
  });

  it('keeps whole links only', () => {
    assert.equal(clean('<a href="https://a.example/x">t</a>'), '<a href="https://a.example/x">t</a>');
    for (const address of [
      'javascript:alert(1)',
      'java\tscript:alert(1)',
      ' javascript:alert(1)',
      'JaVaScRiPt:alert(1)',
      '&#106;avascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      'blob:https://x/y',
      '//a.example',
      '\\\\a.example',
      '/lab?x',
      'x.html',
      '#a',
      'https://'
    ]) {
      assert.equal(clean(`<a href="${address}">t</a>`), '<span>t</span>', address);
    }
  });

  it('runs nothing', () => {
    for (const html of [
      '<script>alert(1)</script>',
      '<img src=x onerror=alert(1)>',
      '<svg onload=alert(1)>',
      '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
      '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
      '<template><img src=x onerror=alert(1)></template>',
      '<details open ontoggle=alert(1)>x</details>',
      '<a href="https://a.example" onmouseover="alert(1)">x</a>'
    ]) {
      assert.ok(!/<[^>]*(?:onerror|onload|ontoggle|onmouseover|script)/i.test(clean(html)), html);
    }
  });

  it('is held by the same lists on the nodes', () => {
    assert.ok(isAllowedTag('P') && !isAllowedTag('img') && !isAllowedTag('button'));
    assert.ok(isAllowedAttribute('a', 'href', 'https://a.example'));
    assert.ok(!isAllowedAttribute('a', 'href', 'javascript:x'));
    assert.ok(!isAllowedAttribute('p', 'href', 'https://a.example'));
    assert.ok(isAllowedAttribute('code', 'class', 'language-c++'));
    assert.ok(!isAllowedAttribute('code', 'class', 'language-c jp-Dialog'));
    assert.ok(!isAllowedAttribute('p', 'onclick', 'x'));
  });
});

describe('links', () => {
  it('say where they lead', () => {
    assert.equal(readLink('https://www.good.example@evil.example/x')?.place, 'evil.example');
    assert.equal(readLink('https://user:pw@a.example/')?.href, 'https://a.example/');
    assert.equal(readLink('http://localhost:8888/x')?.place, 'localhost:8888');
    assert.equal(readLink('mailto:a@b.example')?.place, 'a@b.example');
    assert.match(readLink('https://аррӏе.com')?.place ?? '', /^xn--/);
  });

  it('are of no other kind, also without the sanitiser', () => {
    for (const address of ['javascript:x', 'data:text/html,x', 'blob:https://x/y', 'file:///x', 'ftp://x']) {
      assert.equal(readLink(address), null, address);
    }
  });

  it('need not say it twice', () => {
    const link = readLink('https://a.example/x');
    assert.ok(link);
    assert.ok(saysPlace('https://a.example/x', link));
    assert.ok(saysPlace('a.example/x', link));
    assert.ok(!saysPlace('https://good.example', link));
    assert.ok(!saysPlace('docs', link));
  });
});

describe('fences', () => {
  it('of diagrams are only code', () => {
    assert.equal(withoutDiagramFences('- ```mermaid\n  a\n'), '- ```Mermaid\n  a\n');
    assert.equal(withoutDiagramFences('~~~ \u00a0mermaid'), '~~~ \u00a0Mermaid');
    assert.equal(withoutDiagramFences('a mermaid'), 'a mermaid');
  });

  it('name their language in many ways', () => {
    assert.equal(languageOf('python title="x"'), 'python');
    assert.equal(languageOf('{python}'), 'python');
    assert.equal(languageOf('{.r}'), 'r');
    assert.equal(languageOf('C++'), 'c++');
    assert.equal(languageOf('"><script>'), '');
  });
});
