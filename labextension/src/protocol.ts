/**
 * The nouns on the wire between the Jupyter server and this page, and the guards that check them.
 *
 * What is read here is what `jupyter_localllm/protocol.py` and `errors.py` write. Bytes become
 * typed values only through these guards. Nothing here asks a server or touches the page, and
 * nothing of JupyterLab is imported, so that it runs under Node in tests.
 */

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
}

/** One model as lists show it. */
export interface ModelInfo {
  readonly id: string;
  readonly state: ModelState;
  readonly isDefault: boolean;
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
}

/** A reply that is not what the protocol says; `message` names the field. */
export class ProtocolError extends Error {
  constructor(where: string, expected: string) {
    super(`${where} should be ${expected}`);
    this.name = 'ProtocolError';
  }
}

type JSONRecord = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is JSONRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readRecord(value: unknown, where: string): JSONRecord {
  if (!isRecord(value)) {
    throw new ProtocolError(where, 'an object');
  }
  return value;
}

function readText(value: unknown, where: string): string {
  if (typeof value !== 'string') {
    throw new ProtocolError(where, 'text');
  }
  return value;
}

function readNumber(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new ProtocolError(where, 'a number');
  }
  return value;
}

function readOptionalNumber(value: unknown, where: string): number | null {
  return value === undefined || value === null ? null : readNumber(value, where);
}

function readList(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new ProtocolError(where, 'a list');
  }
  return value as readonly unknown[];
}

function readState(value: unknown, where: string): ModelState {
  // The server leaves out what has its default value.
  if (value === undefined) {
    return 'not_loaded';
  }
  const state = MODEL_STATES.find(known => known === value);
  if (state === undefined) {
    throw new ProtocolError(where, `one of ${MODEL_STATES.join(', ')}`);
  }
  return state;
}

/** Read the inner object of an error reply. */
export function readWireError(value: unknown, where: string): WireError {
  const record = readRecord(value, where);
  return {
    code: readText(record.code, `${where}.code`),
    message: readText(record.message, `${where}.message`),
    hint: record.hint === undefined ? '' : readText(record.hint, `${where}.hint`)
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
  const { is_default: isDefault, error } = record;
  if (isDefault !== undefined && typeof isDefault !== 'boolean') {
    throw new ProtocolError(`${where}.is_default`, 'true or false');
  }
  return {
    id: readText(record.id, `${where}.id`),
    state: readState(record.state, `${where}.state`),
    isDefault: isDefault ?? false,
    sizeBytes: readOptionalNumber(record.size_bytes, `${where}.size_bytes`),
    contextWindow: readOptionalNumber(record.context_window, `${where}.context_window`),
    loadProgress: readOptionalNumber(record.load_progress, `${where}.load_progress`),
    warnings: readList(record.warnings ?? [], `${where}.warnings`).map((text, index) =>
      readText(text, `${where}.warnings[${index}]`)
    ),
    error: error === undefined || error === null ? null : readWireError(error, `${where}.error`)
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
  return {
    protocolVersion: readProtocolVersion(value),
    serverVersion: readText(record.server_version, 'status.server_version'),
    models: readList(record.models, 'status.models').map((model, index) =>
      readModelInfo(model, `status.models[${index}]`)
    )
  };
}
