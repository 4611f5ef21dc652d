/**
 * Guards for kept chats: what `jupyter_localllm/chat_protocol.py` writes becomes the nouns of
 * `chat_protocol.ts` here and nowhere else; and those nouns as the server takes them.
 *
 * Pure. Called by `frames.ts` and `service/chats.ts`.
 */

import type {
  Chat,
  ChatSummary,
  ContextItem,
  MessageRecord,
  Timings,
  Usage
} from './chat_protocol';
import {
  readCount,
  readEach,
  readFlag,
  readNumber,
  readNumberOrZero,
  readOneOf,
  readOptional,
  readOptionalNumber,
  readOptionalText,
  readRecord,
  readText,
  readTextOrEmpty
} from './guards.js';
import { readWireError } from './protocol.js';

const CONTEXT_KINDS = [
  'cell',
  'selection',
  'error',
  'notebook',
  'output',
  'variable',
  'file'
] as const;

const MESSAGE_STATES = ['complete', 'writing', 'stopped', 'failed', 'interrupted'] as const;

export const FINISH_REASONS = ['stop', 'length', 'cancelled'] as const;

const ROLES = ['user', 'assistant'] as const;

/** A prompt that the server offers, as `GET localllm/prompts` lists it. */
export interface PromptInfo {
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  readonly text: string;
}

/** Something the server says about the history. */
export interface ServerNotice {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export function readUsage(value: unknown, where: string): Usage {
  const record = readRecord(value, where);
  return {
    promptTokens: readNumberOrZero(record.prompt_tokens, `${where}.prompt_tokens`),
    completionTokens: readNumberOrZero(record.completion_tokens, `${where}.completion_tokens`),
    cachedTokens: readNumberOrZero(record.cached_tokens, `${where}.cached_tokens`)
  };
}

export function readTimings(value: unknown, where: string): Timings {
  const record = readRecord(value, where);
  return {
    promptMs: readNumberOrZero(record.prompt_ms, `${where}.prompt_ms`),
    predictedPerSecond: readNumberOrZero(
      record.predicted_per_second,
      `${where}.predicted_per_second`
    ),
    queueMs: readNumberOrZero(record.queue_ms, `${where}.queue_ms`),
    firstTokenMs: readNumberOrZero(record.first_token_ms, `${where}.first_token_ms`)
  };
}

export function readContextItem(value: unknown, where: string): ContextItem {
  const record = readRecord(value, where);
  return {
    kind: readOneOf(record.kind, `${where}.kind`, CONTEXT_KINDS),
    label: readText(record.label, `${where}.label`),
    text: readText(record.text, `${where}.text`),
    source: readTextOrEmpty(record.source, `${where}.source`),
    language: readTextOrEmpty(record.language, `${where}.language`),
    isTruncated: readFlag(record.is_truncated, `${where}.is_truncated`, false),
    tokens: readOptionalNumber(record.tokens, `${where}.tokens`)
  };
}

/** A context item as the server takes it. */
export function writeContextItem(item: ContextItem): object {
  return {
    kind: item.kind,
    label: item.label,
    text: item.text,
    ...(item.source === '' ? {} : { source: item.source }),
    ...(item.language === '' ? {} : { language: item.language }),
    ...(item.tokens === null ? {} : { tokens: item.tokens }),
    ...(item.isTruncated ? { is_truncated: true } : {})
  };
}

export function readMessageRecord(value: unknown, where: string): MessageRecord {
  const record = readRecord(value, where);
  return {
    messageId: readText(record.message_id, `${where}.message_id`),
    role: readOneOf(record.role, `${where}.role`, ROLES),
    content: readText(record.content, `${where}.content`),
    createdMs: readNumber(record.created_ms, `${where}.created_ms`),
    parentId: readOptionalText(record.parent_id, `${where}.parent_id`),
    state: readOneOf(record.state ?? 'complete', `${where}.state`, MESSAGE_STATES),
    action: readTextOrEmpty(record.action, `${where}.action`),
    context: readEach(record.context, `${where}.context`, readContextItem),
    model: readTextOrEmpty(record.model, `${where}.model`),
    finishReason: readOptional(record.finish_reason, `${where}.finish_reason`, (reason, at) =>
      readOneOf(reason, at, FINISH_REASONS)
    ),
    usage: readOptional(record.usage, `${where}.usage`, readUsage),
    timings: readOptional(record.timings, `${where}.timings`, readTimings),
    seed: readOptionalNumber(record.seed, `${where}.seed`),
    error: readOptional(record.error, `${where}.error`, readWireError),
    nLeftOut: record.n_left_out === undefined ? 0 : readCount(record.n_left_out, `${where}.n_left_out`),
    firstSentId: readOptionalText(record.first_sent_id, `${where}.first_sent_id`)
  };
}

export function readChatSummary(value: unknown, where: string): ChatSummary {
  const record = readRecord(value, where);
  return {
    chatId: readText(record.chat_id, `${where}.chat_id`),
    title: readText(record.title, `${where}.title`),
    createdMs: readNumber(record.created_ms, `${where}.created_ms`),
    updatedMs: readNumber(record.updated_ms, `${where}.updated_ms`),
    nMessages: record.n_messages === undefined ? 0 : readCount(record.n_messages, `${where}.n_messages`),
    model: readTextOrEmpty(record.model, `${where}.model`),
    snippet: readTextOrEmpty(record.snippet, `${where}.snippet`)
  };
}

/** Read the reply of `GET localllm/chats/ID`. */
export function readChat(value: unknown): Chat {
  const record = readRecord(value, 'chat');
  return {
    chatId: readText(record.chat_id, 'chat.chat_id'),
    title: readText(record.title, 'chat.title'),
    createdMs: readNumber(record.created_ms, 'chat.created_ms'),
    updatedMs: readNumber(record.updated_ms, 'chat.updated_ms'),
    model: readTextOrEmpty(record.model, 'chat.model'),
    systemPrompt: readTextOrEmpty(record.system_prompt, 'chat.system_prompt'),
    currentId: readOptionalText(record.current_id, 'chat.current_id'),
    messages: readEach(record.messages, 'chat.messages', readMessageRecord)
  };
}

export function readServerNotice(value: unknown, where: string): ServerNotice {
  const record = readRecord(value, where);
  return {
    code: readText(record.code, `${where}.code`),
    message: readText(record.message, `${where}.message`),
    hint: readTextOrEmpty(record.hint, `${where}.hint`)
  };
}

export function readPrompt(value: unknown, where: string): PromptInfo {
  const record = readRecord(value, where);
  return {
    name: readText(record.name, `${where}.name`),
    title: readText(record.title, `${where}.title`),
    caption: readTextOrEmpty(record.caption, `${where}.caption`),
    text: readTextOrEmpty(record.text, `${where}.text`)
  };
}
