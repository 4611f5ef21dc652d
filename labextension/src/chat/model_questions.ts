/**
 * Makes questions: the frame that is sent, and the messages that are shown until the server's come.
 *
 * Pure but for the ids and the time. Only the chat model calls it.
 */

import { UUID } from '@lumino/coreutils';

import type { ContextItem, MessageRecord } from '../chat_protocol';
import type { Pending } from './model_answers';
import type { ShownChat } from './model_chat';
import type { Question } from './state';

/** How answers are to be made. */
export interface AskSettings {
  readonly model: string;
  readonly maxTokens: number | null;
  readonly temperature: number | null;
}

/** A question ready to be sent, and what is shown of it. */
export interface Prepared {
  readonly pending: Pending;
  readonly records: readonly MessageRecord[];
}

/** A message without anything in it yet. */
export const BLANK_MESSAGE = {
  content: '',
  state: 'complete',
  action: '',
  context: [],
  model: '',
  finishReason: null,
  usage: null,
  timings: null,
  seed: null,
  error: null,
  nLeftOut: 0,
  firstSentId: null
} as const;

function newAnswer(messageId: string, parentId: string, model: string): MessageRecord {
  const start = { messageId, parentId, model, createdMs: Date.now() };
  return Object.freeze({ ...BLANK_MESSAGE, ...start, role: 'assistant', state: 'writing' });
}

/** The answer below which the next question stands; `null` at the beginning of a chat. */
function parentOfNext(shown: ShownChat): string | null {
  const last = shown.currentId === null ? undefined : shown.get(shown.currentId);
  // A question that never got its answer is left as a branch of its own.
  return last?.role === 'user' ? last.parentId : (last?.messageId ?? null);
}

/** A question with what is attached to it, by default at the end of the branch that is shown. */
export function newQuestion(
  shown: ShownChat,
  question: Question,
  context: readonly ContextItem[],
  settings: AskSettings,
  parentId: string | null = parentOfNext(shown)
): Prepared {
  const { content, action } = question;
  const messageId = UUID.uuid4();
  const requestId = UUID.uuid4();
  const message = { messageId, content, action, context };
  const asked: MessageRecord = Object.freeze({
    ...BLANK_MESSAGE,
    ...message,
    parentId,
    createdMs: Date.now(),
    role: 'user'
  });
  return {
    pending: {
      ask: { requestId, chatId: shown.chat.chatId, parentId, message, seed: null, ...settings },
      beforeId: shown.currentId,
      taken: { content, items: context },
      isSent: false,
      isDoubtful: false,
      wantsStop: false
    },
    records: [asked, newAnswer(requestId, messageId, settings.model)]
  };
}

/** Another answer to a question. */
export function newRegeneration(
  shown: ShownChat,
  question: MessageRecord,
  settings: AskSettings
): Prepared {
  const requestId = UUID.uuid4();
  const parentId = question.messageId;
  const { chatId } = shown.chat;
  return {
    pending: {
      ask: { requestId, chatId, parentId, message: null, seed: null, ...settings },
      beforeId: shown.currentId,
      taken: null,
      isSent: false,
      isDoubtful: false,
      wantsStop: false
    },
    records: [newAnswer(requestId, parentId, settings.model)]
  };
}
