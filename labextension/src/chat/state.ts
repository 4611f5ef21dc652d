/**
 * What the chat shows and what can be done with it: the contract between model and view.
 *
 * Types only. The model (`model.ts`) makes a new, frozen {@link ChatState} at every change, so that
 * components can compare by identity; the text of the answer being written is apart, in
 * {@link ILiveAnswer}, so that a token repaints one message and nothing else.
 */

import type { ISignal } from '@lumino/signaling';

import type { ChatSummary, ContextItem, MessageRecord } from '../chat_protocol';
import type { ModelInfo, WireError } from '../protocol';

/** How the page stands with the server. */
export type ConnectionState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open' }
  /** Lost; it is tried again by itself. */
  | { readonly kind: 'lost' }
  /** The server speaks another version, or has no assistant; `message` and `hint` say so. */
  | { readonly kind: 'refused'; readonly message: string; readonly hint: string };

/** One message of the branch that is shown. */
export interface ShownMessage {
  readonly record: MessageRecord;
  /** Position among the messages with the same parent, from 0, and all their ids in order. */
  readonly siblingIndex: number;
  readonly siblingIds: readonly string[];
}

/** Something attached to the next question. */
export interface Chip {
  readonly chipId: string;
  readonly item: ContextItem;
  /** `null` while it is counted, `'unknown'` where it cannot be. */
  readonly tokens: number | null | 'unknown';
}

/** A sentence over the conversation that stays until it is dismissed or no longer true. */
export interface Notice {
  readonly noticeId: string;
  readonly severity: 'info' | 'warning' | 'error';
  readonly message: string;
  readonly hint: string;
  /** A button on the notice, such as Undo. */
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** The chat that is shown; `isKept` is false until its first message is on the server. */
export interface OpenChat {
  readonly chatId: string;
  readonly title: string;
  readonly systemPrompt: string;
  readonly isKept: boolean;
  readonly isLoading: boolean;
}

/** How much of the context window the shown branch used at its last answer; tokens. */
export interface ContextUse {
  readonly usedTokens: number;
  readonly windowTokens: number;
}

/** Everything the view needs, but for the text being written. */
export interface ChatState {
  readonly connection: ConnectionState;
  readonly chat: OpenChat;
  readonly messages: readonly ShownMessage[];
  /** The answer of this chat that is being written (also before its first token), or `null`. */
  readonly writingId: string | null;
  readonly chats: readonly ChatSummary[];
  readonly models: readonly ModelInfo[];
  /** The model that the next question goes to; '' is the server's default. */
  readonly modelId: string;
  readonly chips: readonly Chip[];
  readonly contextUse: ContextUse | null;
  readonly notices: readonly Notice[];
  /** Said by screen readers; a new object for each announcement. */
  readonly announcement: { readonly text: string };
}

/** What is known of an answer before its first token. */
export interface AnswerProgress {
  readonly queuePosition: number | null;
  readonly promptTokensDone: number | null;
  readonly promptTokensTotal: number | null;
  readonly isLoadingModel: boolean;
  /** From 0 to 1. */
  readonly loadProgress: number | null;
}

/** An answer while it is written. `changed` fires for every piece; paint at most once per frame. */
export interface ILiveAnswer {
  readonly messageId: string;
  readonly text: string;
  readonly progress: AnswerProgress | null;
  /** Milliseconds (of `performance.now()`) at which it was asked for. */
  readonly startedAt: number;
  readonly changed: ISignal<ILiveAnswer, void>;
}

/** A question about to be sent. */
export interface Question {
  readonly content: string;
  /** Name of a prompt on the server (`explain`, `fix`, …) or ''. */
  readonly action: string;
}

/** The chat as components and commands use it. Every method that can fail tells by a notice. */
export interface IChatModel {
  readonly state: ChatState;
  readonly changed: ISignal<IChatModel, void>;
  /** The text in the input, kept while the panel is closed. */
  draft: string;

  live(messageId: string): ILiveAnswer | null;

  /** Send a question with the chips attached; false where one is being answered already. */
  ask(question: Question): Promise<boolean>;
  /** Another answer to the question above this answer (or to this question). */
  regenerate(messageId: string): Promise<void>;
  /** Send a changed copy of a question, with its context, as a branch. */
  edit(messageId: string, content: string): Promise<void>;
  stop(): void;
  /** Show the branch that this message is in. */
  showBranch(messageId: string): void;

  newChat(): void;
  openChat(chatId: string): Promise<void>;
  renameChat(chatId: string, title: string): Promise<void>;
  /** A notice with Undo follows. */
  deleteChat(chatId: string): Promise<void>;
  setSystemPrompt(text: string): Promise<void>;
  /** Chats whose title or text has `query`, newest first. */
  searchChats(query: string): Promise<readonly ChatSummary[]>;
  /** The chat as a file's text: Markdown, notebook, or our own format. */
  exportChat(chatId: string, format: 'md' | 'ipynb' | 'chat'): Promise<string>;
  importChat(text: string): Promise<void>;

  chooseModel(modelId: string): void;
  loadModel(modelId: string): Promise<void>;
  unloadModel(modelId: string): Promise<void>;

  /** Attach; an equal one that is there already is replaced. */
  addChip(item: ContextItem): void;
  removeChip(chipId: string): void;
  notify(notice: Omit<Notice, 'noticeId'>): void;
  dismiss(noticeId: string): void;
  /** A failure as a notice. */
  notifyError(error: WireError): void;
}
