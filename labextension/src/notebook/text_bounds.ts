/**
 * Making text fit: control sequences taken out, the middle of what is too long left out.
 *
 * Pure; for all context sources. What these functions give is what is sent and what a chip shows.
 */

/** What one attachment may have at most; characters. */
export const MAX_ITEM_CHARACTERS = 100_000;

export interface BoundText {
  readonly text: string;
  readonly isTruncated: boolean;
}

// CSI sequences (colours, cursor), OSC sequences (titles, links) and other two-byte escapes.
const ANSI = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[ -/]*[0-~]/g;

/** Take colours and other terminal sequences out. */
export function stripAnsi(text: string): string {
  return text.replace(ANSI, '');
}

/** What a terminal would show: `\r` begins its line again, as progress bars do. */
export function applyCarriageReturns(text: string): string {
  if (!text.includes('\r')) {
    return text;
  }
  return text
    .replace(/\r+\n/g, '\n')
    .split('\n')
    .map(line => line.replace(/\r+$/, '').split('\r').at(-1) ?? '')
    .join('\n');
}

/** Move a cut off the middle of a surrogate pair. */
function wholeCharacter(text: string, position: number): number {
  const unit = text.charCodeAt(position);
  return unit >= 0xdc00 && unit <= 0xdfff ? position - 1 : position;
}

/** How many characters of a note about what was left out may be needed. */
const NOTE_CHARACTERS = 48;

/**
 * Leave out the middle of a text that has more than `limit` characters, and say how much.
 *
 * @param headShare - Which part of the limit the beginning gets, from 0 to 1.
 */
export function boundText(text: string, limit: number, headShare = 0.6): BoundText {
  if (text.length <= limit) {
    return { text, isTruncated: false };
  }
  const room = Math.max(0, limit - NOTE_CHARACTERS);
  const headEnd = wholeCharacter(text, Math.floor(room * headShare));
  const tailStart = wholeCharacter(text, text.length - (room - headEnd));
  const nLeftOut = tailStart - headEnd;
  const note = `\n… ${nLeftOut} characters left out …\n`;
  return { text: text.slice(0, headEnd) + note + text.slice(tailStart), isTruncated: true };
}
