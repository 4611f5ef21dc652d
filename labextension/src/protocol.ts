/**
 * The nouns on the wire between the Jupyter server and this page, and the guards that check them.
 *
 * What is read here is what `jupyter_localllm/protocol.py` and `errors.py` write. Bytes become
 * typed values only through these guards. Nothing here asks a server or touches the page, and
 * nothing of JupyterLab is imported, so that it runs under Node in tests. Frames of the websocket
 * stand in `frames.ts`, kept chats in `chat_protocol.ts`.
 */

import {
  isRecord,
  ProtocolError,
  readEach,
  readFlag,
  readNumber,
  readNumberOrZero,
  readOneOf,
  readOptional,
  readOptionalNumber,
  readRecord,
  readText,
  readTextOrEmpty
} from './guards.js';
import type { JSONRecord } from './guards';

export { ProtocolError };

/** The version of the protocol that this front end speaks. */
export const PROTOCOL_VERSION = 1;

const MODEL_STATES = ['not_loaded', 'loading', 'ready', 'failed'] as const;

/** Where a model's worker process is. */
export type ModelState = (typeof MODEL_STATES)[number];

/** An error as every route of the server sends it. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  /** The next step; may be empty. */
  readonly hint: string;
  /** Facts behind the message, where the server gives some. */
  readonly details?: JSONRecord;
}

/** One model as lists show it. */
export interface ModelInfo {
  readonly id: string;
  readonly state: ModelState;
  readonly isDefault: boolean;
  /** False for a model that only embeds. */
  readonly canChat: boolean;
  readonly sizeBytes: number | null;
  readonly contextWindow: number | null;
  /** From 0 to 1 while the model loads. */
  readonly loadProgress: number | null;
  readonly warnings: readonly string[];
  readonly error: WireError | null;
}

/** The reply of `GET localllm/status`. */
export interface StatusReply {
  readonly protocolVersion: number;
  readonly serverVersion: string;
  readonly models: readonly ModelInfo[];
  /** Requests of all models that are being answered, and that wait. */
  readonly running: number;
  readonly waiting: number;
}

/** Read the state of a model; left out where it is not loaded. */
export function readModelState(value: unknown, where: string): ModelState {
  return value === undefined ? 'not_loaded' : readOneOf(value, where, MODEL_STATES);
}

/** Read the inner object of an error reply. */
export function readWireError(value: unknown, where: string): WireError {
  const record = readRecord(value, where);
  return {
    code: readText(record.code, `${where}.code`),
    message: readText(record.message, `${where}.message`),
    hint: readTextOrEmpty(record.hint, `${where}.hint`),
    ...(isRecord(record.details) ? { details: record.details } : {})
  };
}

/** Read the body of a reply whose status is not 2xx; `null` when it is not one of our errors. */
export function readErrorReply(value: unknown): WireError | null {
  if (!isRecord(value) || !isRecord(value.error)) {
    return null;
  }
  try {
    return readWireError(value.error, 'error');
  } catch (error) {
    if (error instanceof ProtocolError) {
      return null;
    }
    throw error;
  }
}

/** Read one model of a list. */
export function readModelInfo(value: unknown, where: string): ModelInfo {
  const record = readRecord(value, where);
  return {
    id: readText(record.id, `${where}.id`),
    state: readModelState(record.state, `${where}.state`),
    isDefault: readFlag(record.is_default, `${where}.is_default`, false),
    canChat: readFlag(record.can_chat, `${where}.can_chat`, true),
    sizeBytes: readOptionalNumber(record.size_bytes, `${where}.size_bytes`),
    contextWindow: readOptionalNumber(record.context_window, `${where}.context_window`),
    loadProgress: readOptionalNumber(record.load_progress, `${where}.load_progress`),
    warnings: readEach(record.warnings, `${where}.warnings`, readText),
    error: readOptional(record.error, `${where}.error`, readWireError)
  };
}

/**
 * Read the version of the protocol alone.
 *
 * It is read before the rest, so that a server of another version is told from a broken one.
 */
export function readProtocolVersion(value: unknown): number {
  return readNumber(readRecord(value, 'status').protocol_version, 'status.protocol_version');
}

/** Read the reply of `GET localllm/status`. */
export function readStatusReply(value: unknown): StatusReply {
  const record = readRecord(value, 'status');
  if (record.models === undefined) {
    throw new ProtocolError('status.models', 'a list');
  }
  return {
    protocolVersion: readProtocolVersion(value),
    serverVersion: readText(record.server_version, 'status.server_version'),
    models: readEach(record.models, 'status.models', readModelInfo),
    running: readNumberOrZero(record.running, 'status.running'),
    waiting: readNumberOrZero(record.waiting, 'status.waiting')
  };
}
