/**
 * What the chat's view needs from notebooks and commands; implemented in `notebook/` and
 * `chat/commands.ts`, handed to the view by whoever opens the chat.
 *
 * Types only.
 */

import type { MimeData } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { ContextItem } from '../chat_protocol';

/** What a code block's buttons can do to the notebook. */
export type CodeAction = 'insert-above' | 'insert-below' | 'replace' | 'run';

/** Puts code into the visible notebook; each action is one step of undo. Only ever on a click. */
export interface ICodeActions {
  /** What is possible has changed. */
  readonly changed: ISignal<ICodeActions, void>;
  /**
   * `null` where the action is possible, else the reason in one sentence. With the block's
   * language, `run` is also refused where the kernel speaks another one.
   */
  whyNot(action: CodeAction, language?: string): string | null;
  /** @throws Error with a sentence for the user. */
  perform(action: CodeAction, code: string, language: string): Promise<void>;
}

/** One thing that can be attached: an entry of the Attach menu. */
export interface ContextSource {
  /** As typed: `@cell`, `@selection`, `@error`, `@notebook`, `@output`, `@var:`, `@file:`. */
  readonly mention: string;
  readonly caption: string;
  /** `null` where it can be attached now, else why not. */
  readonly whyNot: string | null;
  /** `@var:` and `@file:` are completed by a name. */
  readonly needsName: boolean;
}

/** Reads what is attached from the open notebook, its kernel and the server's files. */
export interface IContextSources {
  readonly changed: ISignal<IContextSources, void>;
  list(): readonly ContextSource[];
  /**
   * Read what a whole mention (`@var:df`, `@file:"my notes.md"`) stands for.
   *
   * @throws Error with a sentence for the user.
   */
  resolve(mention: string): Promise<ContextItem>;
  canDrop(data: MimeData): boolean;
  /** Cells dragged from a notebook, files dragged from the file browser. */
  readDrop(data: MimeData): Promise<readonly ContextItem[]>;
}

/** One entry of the completion list under the input. */
export interface Completion {
  readonly kind: 'command' | 'context' | 'file' | 'variable' | 'model';
  readonly label: string;
  readonly caption: string;
  /**
   * What replaces the text from `start` to `end`. Ends it with `:` or `/`, it is not whole, and
   * completion goes on behind it; a whole mention can be given to `attach`.
   */
  readonly insert: string;
  /** `null` or why it cannot be chosen now. */
  readonly whyNot: string | null;
}

export interface CompletionList {
  readonly start: number;
  readonly end: number;
  readonly items: readonly Completion[];
}

/** What became of a submitted text: gone to the model, done as a command, or left in the input. */
export type Submission = 'sent' | 'done' | 'kept';

/** The language of the input: `/commands` and `@mentions`. */
export interface ICommandLine {
  /** What could stand at the cursor; `null` where nothing is completed. */
  complete(text: string, cursor: number): Promise<CompletionList | null>;
  /** Attach a whole mention as a chip; the view takes it out of the text. */
  attach(mention: string): Promise<boolean>;
  submit(text: string): Promise<Submission>;
}

/** A starting suggestion of an empty chat; choosing it submits `text`. */
export interface Suggestion {
  readonly label: string;
  readonly text: string;
}

/** Three suggestions that fit the notebook that is open. */
export interface ISuggestions {
  readonly changed: ISignal<ISuggestions, void>;
  list(): readonly Suggestion[];
}

/** The user's settings, as Lab's settings editor shows them. */
export interface ChatSettings {
  /** Shift+Enter sends and Enter makes a new line, instead of the other way round. */
  readonly sendWithShiftEnter: boolean;
  /** System prompt of new chats; empty: none, the model's own template decides. */
  readonly systemPrompt: string;
  /** Tokens that one answer may have. */
  readonly maxTokens: number;
  /** `null`: the model's default. */
  readonly temperature: number | null;
  /** Whether the model repairs its own diagrams without being asked. */
  readonly repairDiagrams: boolean;
}

export interface IChatSettings {
  readonly changed: ISignal<IChatSettings, void>;
  readonly current: ChatSettings;
}

/** All of it. */
export interface Workbench {
  readonly codeActions: ICodeActions;
  readonly contextSources: IContextSources;
  readonly commandLine: ICommandLine;
  readonly suggestions: ISuggestions;
  readonly settings: IChatSettings;
}
