/**
 * Pictures as addresses that hold all of their content, so that showing one asks nobody.
 *
 * An SVG in an `<img>` runs no script and loads nothing. Pure.
 */

/** More than any picture of a diagram has, in characters. */
const MAX_LENGTH = 12_000_000;

const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/;

function base64Of(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const pieces: string[] = [];
  // The arguments of one call are limited.
  for (let start = 0; start < bytes.length; start += 0x8000) {
    pieces.push(String.fromCharCode(...bytes.subarray(start, start + 0x8000)));
  }
  return btoa(pieces.join(''));
}

/** The address of an SVG; `null` where the text is not one, or is too long. */
export function svgUrl(svg: string): string | null {
  return svg.length > 0 && svg.length <= MAX_LENGTH && /<svg[\s>]/.test(svg)
    ? `data:image/svg+xml;base64,${base64Of(svg)}`
    : null;
}

/** The address of a PNG in base64; `null` where it is not base64, or is too long. */
export function pngUrl(png: string): string | null {
  return png.length <= MAX_LENGTH && BASE64.test(png)
    ? `data:image/png;base64,${png.replace(/\s+/g, '')}`
    : null;
}

/** The bytes of a base64 text. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64.replace(/\s+/g, ''));
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) {
    bytes[index] = text.charCodeAt(index);
  }
  return bytes;
}
