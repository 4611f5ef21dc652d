/**
 * The frames of the websocket `localllm/chat`, both ways; the counterpart of the frames in
 * `jupyter_localllm/protocol.py` and `chat_protocol.py`.
 *
 * Pure. Called by `service/connection.ts`; held together with the server by `tests/data/protocol`.
 */

import {
  FINISH_REASONS,
  readChatSummary,
  readMessageRecord,
  readTimings,
  readUsage,
  writeContextItem
} from './chat_guards.js';
import type {
  ChatSummary,
  ContextItem,
  FinishReason,
  MessageRecord,
  Timings,
  Usage
} from './chat_protocol';
import {
  ProtocolError,
  readCount,
  readNumber,
  readOneOf,
  readOptional,
  readOptionalNumber,
  readOptionalText,
  readRecord,
  readText,
  readTextOrEmpty
} from './guards.js';
import type { JSONRecord } from './guards.js';
import { readModelState, readWireError } from './protocol.js';
import type { ModelState, WireError } from './protocol';

// --- server to page ----------------------------------------------------------------------

export interface HelloFrame {
  readonly type: 'hello';
  readonly protocolVersion: number;
  readonly serverVersion: string;
}

export interface StartedFrame {
  readonly type: 'start';
  readonly requestId: string;
  readonly seq: number;
  readonly model: string;
}

export interface ProgressFrame {
  readonly type: 'progress';
  readonly requestId: string;
  readonly seq: number;
  readonly queuePosition: number | null;
  readonly promptTokensDone: number | null;
  readonly promptTokensTotal: number | null;
  readonly modelState: ModelState | null;
  readonly loadProgress: number | null;
}

/** Text of the events `firstSeq` to `seq`. */
export interface DeltaFrame {
  readonly type: 'delta';
  readonly requestId: string;
  readonly firstSeq: number;
  readonly seq: number;
  readonly text: string;
}

export interface DoneFrame {
  readonly type: 'done';
  readonly requestId: string;
  readonly seq: number;
  readonly finishReason: FinishReason;
  readonly usage: Usage;
  readonly timings: Timings;
  readonly model: string;
  readonly seed: number | null;
}

/** Ends the answer where it has `seq`; else a frame of the page was refused. */
export interface ErrorFrame {
  readonly type: 'error';
  readonly error: WireError;
  readonly requestId: string | null;
  readonly seq: number | null;
}

export interface MessageFrame {
  readonly type: 'message';
  readonly chatId: string;
  readonly message: MessageRecord;
  readonly currentId: string | null;
}

export interface ChatFrame {
  readonly type: 'chat';
  readonly chatId: string;
  readonly change: 'created' | 'changed' | 'deleted' | 'restored';
  readonly summary: ChatSummary | null;
}

export interface NoticeFrame {
  readonly type: 'notice';
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export type ServerFrame =
  | HelloFrame
  | StartedFrame
  | ProgressFrame
  | DeltaFrame
  | DoneFrame
  | ErrorFrame
  | MessageFrame
  | ChatFrame
  | NoticeFrame;

/** A frame of one answer, numbered from 1 without gaps. */
export type NumberedFrame =
  | StartedFrame
  | ProgressFrame
  | DeltaFrame
  | DoneFrame
  | (ErrorFrame & { readonly requestId: string; readonly seq: number });

const CHANGES = ['created', 'changed', 'deleted', 'restored'] as const;

function numbered(record: JSONRecord): { readonly requestId: string; readonly seq: number } {
  return {
    requestId: readText(record.request_id, 'frame.request_id'),
    seq: readCount(record.seq, 'frame.seq')
  };
}

function readProgress(record: JSONRecord): ProgressFrame {
  return {
    type: 'progress',
    ...numbered(record),
    queuePosition: readOptionalNumber(record.queue_position, 'frame.queue_position'),
    promptTokensDone: readOptionalNumber(record.prompt_tokens_done, 'frame.prompt_tokens_done'),
    promptTokensTotal: readOptionalNumber(record.prompt_tokens_total, 'frame.prompt_tokens_total'),
    modelState: readOptional(record.model_state, 'frame.model_state', readModelState),
    loadProgress: readOptionalNumber(record.load_progress, 'frame.load_progress')
  };
}

function readDelta(record: JSONRecord): DeltaFrame {
  const { requestId, seq } = numbered(record);
  const firstSeq = readCount(record.first_seq, 'frame.first_seq');
  if (firstSeq > seq) {
    throw new ProtocolError('frame.first_seq', 'at most frame.seq');
  }
  const text = readText(record.text, 'frame.text');
  return { type: 'delta', requestId, firstSeq, seq, text };
}

function readDone(record: JSONRecord): DoneFrame {
  return {
    type: 'done',
    ...numbered(record),
    finishReason: readOneOf(record.finish_reason, 'frame.finish_reason', FINISH_REASONS),
    usage: readUsage(record.usage, 'frame.usage'),
    timings: readTimings(record.timings, 'frame.timings'),
    model: readText(record.model, 'frame.model'),
    seed: readOptionalNumber(record.seed, 'frame.seed')
  };
}

const readers: Readonly<Record<ServerFrame['type'], (record: JSONRecord) => ServerFrame>> = {
  hello: record => ({
    type: 'hello',
    protocolVersion: readNumber(record.protocol_version, 'frame.protocol_version'),
    serverVersion: readText(record.server_version, 'frame.server_version')
  }),
  start: record => ({
    type: 'start',
    ...numbered(record),
    model: readText(record.model, 'frame.model')
  }),
  progress: readProgress,
  delta: readDelta,
  done: readDone,
  error: record => ({
    type: 'error',
    error: readWireError(record.error, 'frame.error'),
    requestId: readOptionalText(record.request_id, 'frame.request_id'),
    seq: readOptional(record.seq, 'frame.seq', readCount)
  }),
  message: record => ({
    type: 'message',
    chatId: readText(record.chat_id, 'frame.chat_id'),
    message: readMessageRecord(record.message, 'frame.message'),
    currentId: readOptionalText(record.current_id, 'frame.current_id')
  }),
  chat: record => ({
    type: 'chat',
    chatId: readText(record.chat_id, 'frame.chat_id'),
    change: readOneOf(record.change, 'frame.change', CHANGES),
    summary: readOptional(record.summary, 'frame.summary', readChatSummary)
  }),
  notice: record => ({
    type: 'notice',
    code: readText(record.code, 'frame.code'),
    message: readText(record.message, 'frame.message'),
    hint: readTextOrEmpty(record.hint, 'frame.hint')
  })
};

/** The types of frame that this page knows. */
export const SERVER_FRAME_TYPES = Object.keys(readers);

/**
 * Read one message of the server.
 *
 * @returns `null` for a type of frame that this page does not know: a newer server of the same
 * protocol may say more than we understand.
 * @throws ProtocolError for a frame that is not what the protocol says.
 */
export function readServerFrame(text: string): ServerFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError('frame', 'JSON');
  }
  const record = readRecord(value, 'frame');
  const type = readText(record.type, 'frame.type');
  return Object.hasOwn(readers, type) ? readers[type as ServerFrame['type']](record) : null;
}

// --- page to server ----------------------------------------------------------------------

/** A question as it is sent; see `AskFrame` in `chat_protocol.py`. */
export interface Ask {
  readonly requestId: string;
  readonly chatId: string;
  /** The answer it stands below; without `message`, the question that gets another answer. */
  readonly parentId: string | null;
  readonly message: {
    readonly messageId: string;
    readonly content: string;
    readonly action: string;
    readonly context: readonly ContextItem[];
  } | null;
  readonly model: string;
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly seed: number | null;
}

/** An `ask` frame; what has its default value is left out, as the server does. */
export function writeAsk(ask: Ask): object {
  const { message } = ask;
  return {
    type: 'ask',
    request_id: ask.requestId,
    chat_id: ask.chatId,
    ...(ask.parentId === null ? {} : { parent_id: ask.parentId }),
    ...(message === null
      ? {}
      : {
          message: {
            message_id: message.messageId,
            content: message.content,
            ...(message.action === '' ? {} : { action: message.action }),
            ...(message.context.length === 0
              ? {}
              : { context: message.context.map(writeContextItem) })
          }
        }),
    ...(ask.model === '' ? {} : { model: ask.model }),
    ...(ask.maxTokens === null ? {} : { max_tokens: ask.maxTokens }),
    ...(ask.temperature === null ? {} : { temperature: ask.temperature }),
    ...(ask.seed === null ? {} : { seed: ask.seed })
  };
}

export function writeCancel(requestId: string): object {
  return { type: 'cancel', request_id: requestId };
}

export function writeResume(requestId: string, lastSeq: number): object {
  return { type: 'resume', request_id: requestId, last_seq: lastSeq };
}
