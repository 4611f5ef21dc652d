/**
 * How other plugins get at diagrams: a token, and the interface behind it.
 *
 * What implements it is loaded with the first diagram, see `open.ts`.
 */

import { Token } from '@lumino/coreutils';

import type { DiagramKit } from './kit';

/** Shows diagrams; the code for it is loaded once, when it is first needed. */
export interface IDiagrams {
  load(): Promise<DiagramKit>;
}

export const IDiagrams = new Token<IDiagrams>(
  'jupyter-localllm:IDiagrams',
  'Shows the pictures of Mermaid and Graphviz sources.'
);
