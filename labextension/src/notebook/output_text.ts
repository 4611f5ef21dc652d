/**
 * A cell's outputs as text: what a person sees there, without colours, images only named.
 *
 * Pure. Outputs come from a notebook file or a kernel, so nothing about their shape is believed.
 */

import { isRecord } from '../guards.js';
import type { JSONRecord } from '../guards.js';
import { applyCarriageReturns, boundText, stripAnsi } from './text_bounds.js';
import type { BoundText } from './text_bounds.js';

/** A notebook file may keep a text as a list of lines. */
export function readMultiline(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  return Array.isArray(value)
    ? value.filter((line): line is string => typeof line === 'string').join('')
    : '';
}

function clean(text: string): string {
  return applyCarriageReturns(stripAnsi(text));
}

/** An error output: its name, its message and its traceback. */
export interface ErrorOutput {
  readonly name: string;
  readonly message: string;
  readonly traceback: string;
}

/** Read one output as an error; `null` where it is none. */
function readError(output: unknown): ErrorOutput | null {
  if (!isRecord(output) || output.output_type !== 'error') {
    return null;
  }
  const traceback = Array.isArray(output.traceback)
    ? output.traceback.filter((line): line is string => typeof line === 'string').join('\n')
    : '';
  return {
    name: readMultiline(output.ename),
    message: clean(readMultiline(output.evalue)),
    traceback: clean(traceback)
  };
}

/** The last error among these outputs, or `null`. */
export function lastError(outputs: readonly unknown[]): ErrorOutput | null {
  for (let index = outputs.length - 1; index >= 0; index--) {
    const error = readError(outputs[index]);
    if (error !== null) {
      return error;
    }
  }
  return null;
}

/** An error as text; the end of a traceback, where the reason stands, is kept longest. */
export function describeError(error: ErrorOutput, limit: number): BoundText {
  const summary = boundText(
    error.message === '' ? error.name : `${error.name}: ${error.message}`,
    Math.floor(limit / 2)
  );
  // Most tracebacks end with what the summary says.
  if (error.traceback.trimEnd().endsWith(summary.text)) {
    return boundText(error.traceback.trimEnd(), limit, 0.3);
  }
  const room = limit - summary.text.length - 1;
  if (error.traceback.trim() === '' || room < 200) {
    return { ...summary, isTruncated: summary.isTruncated || error.traceback.trim() !== '' };
  }
  const traceback = boundText(error.traceback, room, 0.3);
  return {
    text: `${summary.text}\n${traceback.text}`,
    isTruncated: summary.isTruncated || traceback.isTruncated
  };
}

const TEXT_TYPES = ['text/plain', 'text/markdown', 'text/latex'];

function describeData(data: JSONRecord): string {
  const lines: string[] = [];
  const textType = TEXT_TYPES.find(type => readMultiline(data[type]) !== '');
  for (const type of Object.keys(data)) {
    if (/^(?:image|audio|video)\//.test(type) || type === 'application/pdf') {
      lines.push(`[${type} not sent]`);
    }
  }
  if (textType !== undefined) {
    lines.push(clean(readMultiline(data[textType])));
  } else if (lines.length === 0) {
    lines.push(...Object.keys(data).map(type => `[${type} not sent]`));
  }
  return lines.join('\n');
}

function describeOutput(output: unknown): string {
  if (!isRecord(output)) {
    return '';
  }
  switch (output.output_type) {
    case 'stream':
      return clean(readMultiline(output.text));
    case 'error': {
      const error = readError(output);
      return error === null ? '' : describeError(error, Infinity).text;
    }
    default:
      return isRecord(output.data) ? describeData(output.data) : '';
  }
}

/** All outputs of a cell, in order. */
export function describeOutputs(outputs: readonly unknown[], limit: number): BoundText {
  const texts = outputs
    .map(describeOutput)
    .filter(text => text.trim() !== '')
    .map(text => text.replace(/\n+$/, ''));
  return boundText(texts.join('\n'), limit, 0.5);
}
