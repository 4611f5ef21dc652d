/**
 * Makes an `<img>` of a picture and waits until it can be shown without a jump.
 *
 * Called by `view.ts`.
 */

import { pngUrl, svgUrl } from './data_url';

/** A picture as a notebook keeps it; what is not known of it is read from itself. */
export interface KeptPicture {
  readonly svg: string;
  /** Base64, with twice as many pixels each way as it has CSS pixels. */
  readonly png: string;
  readonly alt: string;
  readonly width?: number;
  readonly height?: number;
}

const PNG_SCALE = 2;

async function load(url: string | null, picture: KeptPicture, scale: number) {
  if (url === null) {
    return null;
  }
  const image = new Image();
  image.alt = picture.alt;
  image.draggable = false;
  image.src = url;
  try {
    await image.decode();
  } catch {
    return null;
  }
  const { width = image.naturalWidth / scale, height = image.naturalHeight / scale } = picture;
  if (width <= 0 || height <= 0) {
    return null;
  }
  // The browser reserves the place in this proportion.
  image.setAttribute('width', String(Math.round(width)));
  image.setAttribute('height', String(Math.round(height)));
  return image;
}

/** The SVG, or the PNG where that cannot be shown; `null` where neither can. */
export async function loadPicture(picture: KeptPicture): Promise<HTMLImageElement | null> {
  const { svg, png } = picture;
  return (
    (await load(svg === '' ? null : svgUrl(svg), picture, 1)) ??
    (await load(png === '' ? null : pngUrl(png), picture, PNG_SCALE))
  );
}
