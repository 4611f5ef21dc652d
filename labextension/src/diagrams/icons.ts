/**
 * Icons that JupyterLab does not have, drawn for diagrams.
 */

import { LabIcon } from '@jupyterlab/ui-components';

function icon(name: string, path: string): LabIcon {
  return new LabIcon({
    name: `jupyter-localllm:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="${path}"/></svg>`
  });
}

/** Four corners that move apart. */
export const enlargeIcon = icon(
  'enlarge',
  'M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z'
);

/** A minus sign. */
export const zoomOutIcon = icon('zoom-out', 'M5 11h14v2H5z');
