/**
 * What of a model's HTML may reach the page, in the words of JupyterLab's sanitiser.
 *
 * Lab's own rules let remote images load, CSS classes of Lab be worn and forms be built; these do
 * not. The same lists are held once more on the parsed nodes. Pure data and small functions.
 * Called by `renderer.ts`.
 */

import { readLink } from './links.js';

export type Attributes = Record<string, string>;

interface TransformedTag {
  tagName: string;
  attribs: Attributes;
  text?: string;
}

type Transform = (tagName: string, attributes: Attributes) => TransformedTag;

/** The part of sanitize-html's options that is set here; Lab's sanitiser hands all of them on. */
export interface SafeHtmlOptions {
  allowedTags: string[];
  allowedAttributes: Record<string, string[]>;
  allowedClasses: Record<string, RegExp[]>;
  allowedStyles: Record<string, Record<string, RegExp[]>>;
  allowedSchemes: string[];
  allowedSchemesByTag: Record<string, string[]>;
  allowedSchemesAppliedToAttributes: string[];
  allowProtocolRelative: boolean;
  selfClosing: string[];
  nonTextTags: string[];
  nestingLimit: number;
  disallowedTagsMode: 'discard';
  transformTags: Record<string, Transform>;
}

const TAGS =
  'a abbr b bdi bdo blockquote br caption center cite code dd del details dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li mark ol p pre q s samp small span strike strong sub summary sup table tbody td tfoot th thead tr tt u ul var wbr'.split(
    ' '
  );

const ATTRIBUTES: Record<string, string[]> = {
  '*': ['dir'],
  a: ['href'],
  ol: ['start'],
  td: ['align', 'colspan', 'rowspan'],
  th: ['align', 'colspan', 'rowspan']
};

/** What Lab's highlighter gives to pieces of code, and Markdown parsers to whole blocks. */
const CLASSES: Record<string, RegExp[]> = {
  code: [/^language-[\w+#.-]{1,40}$/],
  span: [/^\u037c[0-9a-z]{1,4}$/]
};

const TEXTLESS = 'script style textarea option select noscript template title svg math iframe object embed audio video canvas head noembed noframes xmp plaintext'.split(
  ' '
);

/** Sentences that stand in for what is left out. */
export interface SafeHtmlTexts {
  /** `%1` is the image's description. */
  readonly image: (alternative: string) => string;
}

/** The options for Lab's sanitiser. */
export function safeHtmlOptions(texts: SafeHtmlTexts): SafeHtmlOptions {
  return {
    allowedTags: TAGS,
    allowedAttributes: ATTRIBUTES,
    allowedClasses: CLASSES,
    allowedStyles: {},
    allowedSchemes: ['http', 'https', 'mailto'],
    allowedSchemesByTag: {},
    allowedSchemesAppliedToAttributes: ['href'],
    allowProtocolRelative: false,
    // Not `img` and `input`: they become text in a tag that must be closed.
    selfClosing: ['br', 'hr', 'wbr'],
    nonTextTags: TEXTLESS,
    nestingLimit: 40,
    disallowedTagsMode: 'discard',
    transformTags: {
      a: (tagName, attributes) => {
        const link = readLink(attributes.href ?? '');
        return link === null
          ? { tagName: 'span', attribs: {} }
          : { tagName, attribs: { href: link.href } };
      },
      img: (_, attributes) => ({
        tagName: 'span',
        attribs: {},
        text: texts.image(attributes.alt ?? '')
      }),
      input: (_, attributes) => ({
        tagName: 'span',
        attribs: {},
        text: attributes.type === 'checkbox' ? ('checked' in attributes ? '☑ ' : '☐ ') : ''
      })
    }
  };
}

/** Whether an element that came through the sanitiser is one of those allowed. */
export function isAllowedTag(tagName: string): boolean {
  return TAGS.includes(tagName.toLowerCase());
}

/** Whether one attribute that came through the sanitiser is one of those allowed. */
export function isAllowedAttribute(tagName: string, name: string, value: string): boolean {
  const tag = tagName.toLowerCase();
  if (name === 'class') {
    const allowed = CLASSES[tag] ?? [];
    return value.split(/\s+/).every(part => allowed.some(pattern => pattern.test(part)));
  }
  if (name === 'href') {
    return tag === 'a' && readLink(value) !== null;
  }
  return [...(ATTRIBUTES['*'] ?? []), ...(ATTRIBUTES[tag] ?? [])].includes(name);
}

/** Keep fences of diagrams from being drawn: they are shown as code. */
export function withoutDiagramFences(markdown: string): string {
  return markdown.replace(/([`~]{3,}[^\S\n]*)mermaid/g, '$1Mermaid');
}

/** The first word of a fence's info string, if it can be the name of a language. */
export function languageOf(info: string): string {
  const word = /^\{?\.?([A-Za-z][\w+#.-]{0,39})/.exec(info)?.[1] ?? '';
  return word.toLowerCase();
}
