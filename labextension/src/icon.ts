/**
 * How the front end's own icons are made, so that they take the colours of Lab's theme.
 */

import { LabIcon } from '@jupyterlab/ui-components';

/** An icon of one path, in a square of 24. */
export function icon(name: string, path: string): LabIcon {
  return new LabIcon({
    name: `jupyter-localllm:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="${path}"/></svg>`
  });
}
