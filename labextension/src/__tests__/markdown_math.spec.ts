/** Formulas: which are found, and which TeX may be typeset. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { extractMath, isSafeTex, mathAfter, withoutLabels } from '../chat/markdown/math.js';

function found(text: string): string[] {
  return extractMath(text).formulas.map(({ tex, isDisplay }) => (isDisplay ? `D:${tex}` : tex));
}

function restored(text: string): string {
  const extracted = extractMath(text);
  return extracted.text.replace(
    /\uE000(\d+)\uE001/g,
    (_, index: string) => extracted.formulas[Number(index)]?.source ?? ''
  );
}

describe('formulas', () => {
  it('are found by each of their delimiters', () => {
    assert.deepEqual(found('a $x_1$ b $$y$$ c \\(z\\) d \\[w\\]'), ['x_1', 'D:y', 'z', 'D:w']);
    assert.deepEqual(found('\\\\(a\\\\) and \\\\[b\\\\]'), ['a', 'D:b']);
    assert.deepEqual(found('\\begin{align*}\na&=b\n\\end{align*}'), [
      'D:\\begin{align*}\na&=b\n\\end{align*}'
    ]);
    assert.deepEqual(found('$$\na\n- b\n$$'), ['D:\na\n- b\n']);
  });

  it('are not taken for money, code or escaped dollars', () => {
    assert.deepEqual(found('costs $5 and $10'), []);
    assert.deepEqual(found('\\$x$ y'), []);
    assert.deepEqual(found('`$x$` and ``$y$``'), []);
    assert.deepEqual(found('```\n$x$\n```\n$y$'), ['y']);
    assert.deepEqual(found('- ~~~\n  $x$\n  ~~~\n- $y$'), ['y']);
    assert.deepEqual(found('$a\n\nb$'), []);
    assert.deepEqual(found('an open $$ sign'), []);
  });

  it('come back as they were', () => {
    for (const text of ['a $x$ `$y$` \\[z\\] $5', '$$a$$$b$', '\\\\(a\\\\) \\\\', '$ $x$$']) {
      assert.equal(restored(text), text);
    }
  });

  it('cannot be forged with the marks that stand in for them', () => {
    const { text, formulas } = extractMath('\uE0000\uE001 $x$');
    assert.equal(formulas.length, 1);
    assert.equal(text.match(/\uE000\d+\uE001/g)?.length, 1);
  });

  it('are found in a time that grows with the text', () => {
    const start = performance.now();
    for (const bit of ['$', '`', '\\[', '$a ', '\\begin{align}', '`` ', '$$ ']) {
      extractMath(bit.repeat(5000));
    }
    assert.ok(performance.now() - start < 5000);
  });
});

describe('TeX', () => {
  it('is typeset where it stays in its formula', () => {
    for (const tex of [
      '\\frac{a}{b}',
      '\\mathbb{R}^n \\to \\text{if } x',
      '\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}',
      '\\color{red}{x} \\textcolor{#ff0000}{y}',
      '\\hat{x} \\le \\lambda \\characteristic',
      '\\definitely'
    ]) {
      assert.ok(isSafeTex(tex), tex);
    }
  });

  it('is shown as its source where it could reach farther', () => {
    for (const tex of [
      '\\href{javascript:alert(1)}{x}',
      '\\HREF{x}{y}',
      '\\href {x}{y}',
      '\\url{https://x.example}',
      '\\style{background:url(https://x.example)}{x}',
      '\\class{jp-Button}{x}',
      '\\cssId{x}{y}',
      '\\data{a=b}{c}',
      '\\htmlData{a=b}{c}',
      '\\bbox[background:url(https://x.example)]{x}',
      '\\fcolorbox{red;background:url(https://x.example)}{red}{x}',
      '\\color{red;x:url(y)}{x}',
      '\\colorbox{a{b}}{x}',
      '\\mmlToken{mi}[href="javascript:alert(1)"]{x}',
      '\\require{html}',
      '\\includegraphics{x}',
      '\\def\\sum{0}',
      '\\gdef\\x{\\href}',
      '\\let\\h\\href',
      '\\newcommand{\\h}{x}',
      '\\renewcommand\\sin{x}',
      '\\DeclareMathOperator{\\x}{y}',
      '\\definecolor{x}{rgb}{1,0,0}',
      '\\unicode{x41}',
      '\\mathtip{a}{b}',
      '\\toggle{a}{b}\\endtoggle',
      '\\ref{x}',
      'x'.repeat(20_000)
    ]) {
      assert.ok(!isSafeTex(tex), tex.slice(0, 60));
    }
  });

  it('loses the names of its equations', () => {
    assert.equal(withoutLabels('a\\label{eq:1} = b'), 'a = b');
    assert.ok(!isSafeTex(withoutLabels('\\label{a\\href{x}}')));
  });
});

describe('an open formula', () => {
  it('is known by what closes it', () => {
    assert.equal(mathAfter('a $$ b', ''), '$$');
    assert.equal(mathAfter('a $$ b $$', ''), '');
    assert.equal(mathAfter('c $$', '$$'), '');
    assert.equal(mathAfter('\\[ x', ''), '\\]');
    assert.equal(mathAfter('\\begin{align} x', ''), '\\end{align}');
    assert.equal(mathAfter('`$$` \\\\[2pt]', ''), '');
  });
});
