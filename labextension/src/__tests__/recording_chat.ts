/** The chat's surroundings for tests of commands: they keep what is asked of them. */

import { Signal } from '@lumino/signaling';

import type { ActiveCellReader } from '../chat/commands.js';
import type { NameSource } from '../chat/completions.js';
import type { FileStore } from '../chat/export_file.js';
import type { ChatState, IChatModel, Notice, Question } from '../chat/state.js';
import type { ContextSource, IContextSources } from '../chat/workbench.js';
import type { ContextItem, ContextKind } from '../chat_protocol.js';
import { readModelInfo } from '../protocol.js';
import type { ModelInfo } from '../protocol.js';
import type { Translator } from '../service/status_text.js';

/** Puts arguments where JupyterLab's bundles put them. */
export const trans: Translator = {
  __: (text: string, ...args: unknown[]) =>
    text.replace(/%(\d+)/g, (_, index: string) => String(args[Number(index) - 1]))
};

export function item(kind: ContextKind, label: string, text = 'x'): ContextItem {
  return { kind, label, text, source: '', language: '', isTruncated: false, tokens: null };
}

function modelInfo(id: string, isDefault = false): ModelInfo {
  return readModelInfo({ id, state: 'ready', is_default: isDefault, context_window: 2048 }, id);
}

const STATE: ChatState = {
  connection: { kind: 'open' },
  chat: { chatId: 'c1', title: 'A/B: first?', systemPrompt: '', isKept: true, isLoading: false },
  messages: [],
  writingId: null,
  chats: [],
  models: [modelInfo('smollm2-135m', true), modelInfo('qwen2.5-1.5b'), modelInfo('qwen2.5-0.5b')],
  modelId: '',
  chips: [],
  contextUse: null,
  notices: [],
  announcement: { text: '' }
};

/** Keeps a line for each call, in order. */
export class RecordingModel implements IChatModel {
  readonly calls: string[] = [];
  readonly notices: Omit<Notice, 'noticeId'>[] = [];
  state: ChatState = STATE;
  draft = '';
  isAnswering = false;
  hasRoom = true;
  readonly changed = new Signal<this, void>(this);

  ask({ content, action }: Question): Promise<boolean> {
    this.calls.push(`ask ${action}: ${content}`);
    return Promise.resolve(!this.isAnswering);
  }
  addChip(added: ContextItem): void {
    this.calls.push(`chip ${added.label}`);
    if (this.hasRoom) {
      const chip = { chipId: added.label, item: added, tokens: null };
      this.state = { ...this.state, chips: [...this.state.chips, chip] };
    }
  }
  notify(notice: Omit<Notice, 'noticeId'>): void {
    this.notices.push(notice);
  }
  newChat(): void {
    this.calls.push('new');
  }
  chooseModel(modelId: string): void {
    this.calls.push(`model ${modelId}`);
  }
  setSystemPrompt(text: string): Promise<void> {
    this.calls.push(`system ${text}`);
    return Promise.resolve();
  }
  exportChat(chatId: string, format: string): Promise<string> {
    return Promise.resolve(`${chatId} as ${format}`);
  }
  live(): null {
    return null;
  }

  regenerate(): Promise<void> {
    return unexpected('regenerate');
  }
  edit(): Promise<void> {
    return unexpected('edit');
  }
  stop(): void {
    void unexpected('stop');
  }
  showBranch(): void {
    void unexpected('showBranch');
  }
  openChat(): Promise<void> {
    return unexpected('openChat');
  }
  renameChat(): Promise<void> {
    return unexpected('renameChat');
  }
  deleteChat(): Promise<void> {
    return unexpected('deleteChat');
  }
  searchChats(): Promise<never> {
    return unexpected('searchChats');
  }
  importChat(): Promise<void> {
    return unexpected('importChat');
  }
  loadModel(): Promise<void> {
    return unexpected('loadModel');
  }
  unloadModel(): Promise<void> {
    return unexpected('unloadModel');
  }
  removeChip(): void {
    void unexpected('removeChip');
  }
  dismiss(): void {
    void unexpected('dismiss');
  }
  notifyError(): void {
    void unexpected('notifyError');
  }
}

function unexpected(name: string): Promise<never> {
  return Promise.reject(new Error(`${name} was not expected`));
}

/** Resolves every mention but `@output` and files called `missing`. */
export class RecordingSources implements IContextSources {
  readonly changed = new Signal<this, void>(this);
  readonly resolved: string[] = [];
  /** Awaited before each answer. */
  gate: Promise<void> = Promise.resolve();

  list(): readonly ContextSource[] {
    return ['@cell', '@error', '@output', '@var:', '@file:'].map(mention => ({
      mention,
      caption: `caption of ${mention}`,
      whyNot: mention === '@output' ? 'no output' : null,
      needsName: mention.endsWith(':')
    }));
  }
  async resolve(mention: string): Promise<ContextItem> {
    this.resolved.push(mention);
    await this.gate;
    if (mention === '@output' || mention.includes('missing')) {
      throw new Error(`There is no ${mention}.`);
    }
    return item('file', mention);
  }
  canDrop(): boolean {
    return false;
  }
  readDrop(): Promise<readonly ContextItem[]> {
    return Promise.resolve([]);
  }
}

export const CELL = item('cell', '@cell [1]');
export const ERROR = item('error', '@error [1]');

export const ACTIVE_CELL: ActiveCellReader = { readCell: () => CELL, readActiveError: () => ERROR };

export const NAMES: NameSource = {
  contextSources: () => new RecordingSources().list(),
  variables: () =>
    Promise.resolve([
      { name: 'df', type: 'DataFrame' },
      { name: 'data', type: 'dict' },
      { name: 'x', type: 'int' }
    ]),
  files: folder =>
    Promise.resolve(
      folder === ''
        ? [
            { name: 'notes.md', isFolder: false },
            { name: '.secret', isFolder: false },
            { name: 'my data', isFolder: true },
            { name: 'a b.py', isFolder: false }
          ]
        : [{ name: `in ${folder}x.csv`.replaceAll('/', '_'), isFolder: false }]
    ),
  models: () => STATE.models.map(({ id }) => id)
};

/** A folder in memory that behaves as Jupyter's contents do. */
export class MemoryStore implements FileStore {
  readonly files = new Map<string, string>();
  failSave = false;

  newUntitled({ path, ext }: { path: string; ext: string }): Promise<{ path: string }> {
    const name = `${path === '' ? '' : `${path}/`}untitled${ext}`;
    this.files.set(name, '');
    return Promise.resolve({ path: name });
  }
  save(path: string, { content }: { content: string }): Promise<void> {
    if (this.failSave) {
      return Promise.reject(new Error('disk full'));
    }
    this.files.set(path, content);
    return Promise.resolve();
  }
  rename(path: string, newPath: string): Promise<{ path: string }> {
    if (this.files.has(newPath)) {
      return Promise.reject(Object.assign(new Error('taken'), { response: { status: 409 } }));
    }
    this.files.set(newPath, this.files.get(path) ?? '');
    this.files.delete(path);
    return Promise.resolve({ path: newPath });
  }
  delete(path: string): Promise<void> {
    this.files.delete(path);
    return Promise.resolve();
  }
}
