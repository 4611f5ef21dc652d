/**
 * Attachments as they are sent: the limits of every one of them.
 *
 * Pure. `text` is exactly what the model is given and what the chip shows.
 */

import type { ContextItem, ContextKind } from '../chat_protocol.js';
import { boundText, MAX_ITEM_CHARACTERS } from './text_bounds.js';

// The server refuses more.
const MAX_LABEL = 300;
const MAX_SOURCE = 2_000;
const MAX_LANGUAGE = 40;

/** What an attachment is made of. */
export interface ItemParts {
  readonly kind: ContextKind;
  readonly label: string;
  readonly text: string;
  readonly source: string;
  readonly language?: string;
  readonly isTruncated?: boolean;
}

/** Halves of surrogate pairs, which no UTF-8 can carry, shown as such. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Make an attachment that keeps all limits. */
export function contextItem(parts: ItemParts): ContextItem {
  const { text, isTruncated } = boundText(wellFormed(parts.text), MAX_ITEM_CHARACTERS);
  return {
    kind: parts.kind,
    label: wellFormed(parts.label.slice(0, MAX_LABEL)),
    text,
    source: parts.source.slice(0, MAX_SOURCE),
    language: (parts.language ?? '').slice(0, MAX_LANGUAGE),
    isTruncated: isTruncated || parts.isTruncated === true,
    tokens: null
  };
}
