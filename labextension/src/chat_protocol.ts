/**
 * The nouns of kept conversations and their frames; the counterpart of
 * `jupyter_localllm/chat_protocol.py`. Guards for them stand in `chat_guards.ts`.
 */

import type { WireError } from './protocol';

export type ContextKind =
  | 'cell'
  | 'selection'
  | 'error'
  | 'notebook'
  | 'output'
  | 'variable'
  | 'file';

/** One attachment: what its chip shows is what the model is given. */
export interface ContextItem {
  readonly kind: ContextKind;
  /** What the person chose: `@cell 3`, `@file:notes.md`. */
  readonly label: string;
  readonly text: string;
  /** Path of the notebook or file, or ''. */
  readonly source: string;
  /** Language of the code, or ''. */
  readonly language: string;
  readonly isTruncated: boolean;
  /** As counted when it was sent. */
  readonly tokens: number | null;
}

export type MessageState = 'complete' | 'writing' | 'stopped' | 'failed' | 'interrupted';

export type FinishReason = 'stop' | 'length' | 'cancelled';

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
}

/** Measured times of one answer; milliseconds. */
export interface Timings {
  readonly promptMs: number;
  readonly predictedPerSecond: number;
  readonly queueMs: number;
  readonly firstTokenMs: number;
}

export interface MessageRecord {
  readonly messageId: string;
  readonly role: 'user' | 'assistant';
  readonly content: string;
  readonly createdMs: number;
  readonly parentId: string | null;
  readonly state: MessageState;
  /** Of a question: the name of the prompt it was asked with, or ''. */
  readonly action: string;
  readonly context: readonly ContextItem[];
  readonly model: string;
  readonly finishReason: FinishReason | null;
  readonly usage: Usage | null;
  readonly timings: Timings | null;
  readonly seed: number | null;
  readonly error: WireError | null;
  /** Of an answer: earlier messages that no longer fitted and were not sent. */
  readonly nLeftOut: number;
  /** Where some were left out: the oldest message that was sent. */
  readonly firstSentId: string | null;
}

export interface ChatSummary {
  readonly chatId: string;
  readonly title: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly nMessages: number;
  readonly model: string;
  /** The place a search found, or ''. */
  readonly snippet: string;
}

/** A whole conversation, messages in the order in which they were made. */
export interface Chat {
  readonly chatId: string;
  readonly title: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly model: string;
  readonly systemPrompt: string;
  readonly currentId: string | null;
  readonly messages: readonly MessageRecord[];
}
