/**
 * What the page remembers over a reload: the chat that was shown, the draft, the chosen model.
 *
 * Per tab first, so that two tabs keep two chats; a new tab begins with what was last used. The
 * browser may refuse to remember, which is no reason to fail.
 */

/** The part of the browser's storage that is used. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export interface Remembered {
  chatId: string;
  draft: string;
  modelId: string;
}

/** Milliseconds. */
const DRAFT_DELAY_MS = 300;

const NOTHING: Remembered = { chatId: '', draft: '', modelId: '' };

export class PageMemory {
  /**
   * @param _tab - Lasts as long as the tab (`sessionStorage`).
   * @param _browser - Shared by all tabs (`localStorage`).
   * @param baseUrl - One server's memory is not another's, even on one host.
   */
  constructor(
    private readonly _tab: Store | null,
    private readonly _browser: Store | null,
    baseUrl: string
  ) {
    this._key = `jupyter-localllm:chat:${baseUrl}`;
    this._value = read(this._tab, this._key) ?? read(this._browser, this._key) ?? NOTHING;
  }

  get value(): Readonly<Remembered> {
    return this._value;
  }

  set(change: Partial<Omit<Remembered, 'draft'>>): void {
    this._value = { ...this._value, ...change };
    this.flush();
    // A draft belongs to the tab in which it is typed.
    write(this._browser, this._key, { ...this._value, draft: '' });
  }

  /** Remember the draft soon: a long one is not written out at every key. */
  setDraft(draft: string): void {
    this._value = { ...this._value, draft };
    this._timer ??= setTimeout(() => {
      this.flush();
    }, DRAFT_DELAY_MS);
  }

  /** Write out what waits; called when the page is left. */
  flush(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    write(this._tab, this._key, this._value);
  }

  private readonly _key: string;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _value: Remembered;
}

function read(store: Store | null, key: string): Remembered | null {
  try {
    const value: unknown = JSON.parse(store?.getItem(key) ?? 'null');
    if (typeof value !== 'object' || value === null) {
      return null;
    }
    const { chatId, draft, modelId } = value as Partial<Record<keyof Remembered, unknown>>;
    const text = (field: unknown): string => (typeof field === 'string' ? field : '');
    return { chatId: text(chatId), draft: text(draft), modelId: text(modelId) };
  } catch {
    return null;
  }
}

function write(store: Store | null, key: string, value: Remembered): void {
  try {
    store?.setItem(key, JSON.stringify(value));
  } catch {
    // Full or forbidden: nothing is remembered then.
  }
}
