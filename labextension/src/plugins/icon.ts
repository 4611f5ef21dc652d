/**
 * The chat's icon, in Lab's colours. Drawn at Lab's start, so it is small and stands here.
 */

import { LabIcon } from '@jupyterlab/ui-components';

/** A speech bubble with a prompt in it. */
export const chatIcon = new LabIcon({
  name: 'jupyter-localllm:chat',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v11a2 2 0 0 1-2 2h-8l-5 4v-4H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm0 2v11h5v2l2.500-2H20V5z"/>
  <path class="jp-icon3" fill="#616161" d="M6 7.700 7.400 6.300l4.200 4.200-4.200 4.200L6 13.300l2.800-2.800zM12.500 13H18v1.800h-5.500z"/>
</svg>`
});
