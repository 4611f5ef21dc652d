/**
 * What diagrams are on this page, and the guards for what the server says about them.
 *
 * Pure; nothing of JupyterLab is imported. Used by everything in this folder.
 */

import {
  isRecord,
  readCount,
  readEach,
  readNumber,
  readOneOf,
  readRecord,
  readText
} from '../guards.js';
import type { WireError } from '../protocol';

const KINDS = ['mermaid', 'dot'] as const;
const THEMES = ['default', 'dark', 'neutral'] as const;

export type DiagramKind = (typeof KINDS)[number];
export type DiagramTheme = (typeof THEMES)[number];

/** The source of a diagram, kept in a notebook beside its pictures. */
export const DIAGRAM_MIME = 'application/vnd.jupyter-localllm.diagram+json';

/** Graphviz text, which JupyterLab itself does not show. */
export const GRAPHVIZ_MIME = 'text/vnd.graphviz';

/** A diagram that the server has drawn. */
export interface Drawing {
  readonly kind: DiagramKind;
  /** What was drawn, after repairs. */
  readonly source: string;
  /** What was asked for. */
  readonly given: string;
  readonly theme: DiagramTheme;
  readonly svg: string;
  /** Base64. */
  readonly png: string;
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly alt: string;
  /** What rules have changed, a sentence each. */
  readonly changes: readonly string[];
  /** How often the model was asked to repair it. */
  readonly attempts: number;
}

/** Why there is no picture. */
export interface DiagramFault {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** The line at fault, from 1; 0 where it is not known. */
  readonly line: number;
}

/** What a notebook keeps of a diagram beside its pictures. */
export interface KeptDiagram {
  readonly kind: DiagramKind;
  readonly source: string;
  readonly alt: string;
  /** Chosen by its author; `null`: it was drawn in neutral colours, and may follow the page. */
  readonly theme: DiagramTheme | null;
}

/** The language of diagrams that a fence names; `null` where it names another language. */
export function kindOf(language: string): DiagramKind | null {
  switch (language) {
    case 'mermaid':
      return 'mermaid';
    case 'dot':
    case 'graphviz':
      return 'dot';
    default:
      return null;
  }
}

/** Read the reply of `POST localllm/diagrams`. */
export function readDrawing(value: unknown): Drawing {
  const record = readRecord(value, 'drawing');
  return {
    kind: readOneOf(record.kind, 'drawing.kind', KINDS),
    source: readText(record.source, 'drawing.source'),
    given: readText(record.given, 'drawing.given'),
    theme: readOneOf(record.theme, 'drawing.theme', THEMES),
    svg: readText(record.svg, 'drawing.svg'),
    png: readText(record.png, 'drawing.png'),
    width: readNumber(record.width, 'drawing.width'),
    height: readNumber(record.height, 'drawing.height'),
    alt: readText(record.alt, 'drawing.alt'),
    changes: readEach(record.changes, 'drawing.changes', readText),
    attempts: readCount(record.attempts, 'drawing.attempts')
  };
}

/** What an error of the server says about a diagram. */
export function faultOf(wire: WireError): DiagramFault {
  const line = isRecord(wire.details) ? wire.details.line : 0;
  return {
    code: wire.code,
    message: wire.message,
    hint: wire.hint,
    line: typeof line === 'number' && Number.isSafeInteger(line) && line > 0 ? line : 0
  };
}

/** Read what a notebook keeps; `null` where it is not a diagram. Anybody may have written it. */
export function readKept(value: unknown): KeptDiagram | null {
  if (!isRecord(value) || typeof value.source !== 'string') {
    return null;
  }
  const kind = KINDS.find(known => known === value.kind);
  if (kind === undefined) {
    return null;
  }
  const theme = THEMES.find(known => known === value.theme) ?? 'neutral';
  return {
    kind,
    source: value.source,
    alt: typeof value.alt === 'string' ? value.alt : '',
    theme: theme === 'neutral' ? null : theme
  };
}

/** The cell that draws a diagram again. */
export function cellOf(kind: DiagramKind, source: string): string {
  return `%%${kind}\n${source.replace(/\n+$/, '')}`;
}
