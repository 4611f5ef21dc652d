/**
 * Where a picture stands in the frame that it is looked at through, and how large.
 *
 * Pure; `enlarge.ts` puts it on the page.
 */

/** Width and height in CSS pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The picture's upper left corner in the frame, and its scale; 1 is its own size. */
export interface Placement {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

const MIN_SCALE = 0.05;
const MAX_SCALE = 20;
/** Of the picture, so much stays in the frame; CSS pixels. */
const MARGIN = 40;

/** The whole picture in the middle, enlarged to at most twice its size. */
export function fitted(picture: Size, frame: Size): Placement {
  const scale = Math.min(frame.width / picture.width, frame.height / picture.height, 2);
  return {
    x: (frame.width - picture.width * scale) / 2,
    y: (frame.height - picture.height * scale) / 2,
    scale
  };
}

/** Enlarged by a factor around a point of the frame, which stays where it is. */
export function zoomed(place: Placement, factor: number, x: number, y: number): Placement {
  const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, place.scale * factor));
  const real = scale / place.scale;
  return { x: x - (x - place.x) * real, y: y - (y - place.y) * real, scale };
}

/** Moved, but not out of the frame. */
export function moved(
  place: Placement,
  dx: number,
  dy: number,
  picture: Size,
  frame: Size
): Placement {
  const within = (value: number, extent: number, room: number): number =>
    Math.min(room - MARGIN, Math.max(MARGIN - extent, value));
  return {
    x: within(place.x + dx, picture.width * place.scale, frame.width),
    y: within(place.y + dy, picture.height * place.scale, frame.height),
    scale: place.scale
  };
}
