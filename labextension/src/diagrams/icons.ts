/**
 * Icons that JupyterLab does not have, drawn for diagrams.
 */

import { icon } from '../icon.js';

/** Four corners that move apart. */
export const enlargeIcon = icon(
  'enlarge',
  'M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z'
);

/** A minus sign. */
export const zoomOutIcon = icon('zoom-out', 'M5 11h14v2H5z');
