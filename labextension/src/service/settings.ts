/**
 * The chat's settings, from Lab's settings of the plugin `jupyter-localllm:chat`.
 *
 * What stands in `schema/chat.json` is read here and nowhere else. Without a settings registry the
 * defaults hold.
 */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { ChatSettings, IChatSettings } from '../chat/workbench';
import { PluginIds } from '../tokens';

const DEFAULTS: ChatSettings = Object.freeze({
  sendWithShiftEnter: false,
  systemPrompt: '',
  maxTokens: 1024,
  temperature: null,
  repairDiagrams: true
});

function readSettings(composite: Readonly<Record<string, unknown>>): ChatSettings {
  const { sendWithShiftEnter, systemPrompt, maxTokens, temperature, repairDiagrams } = composite;
  return Object.freeze({
    sendWithShiftEnter: sendWithShiftEnter === true,
    systemPrompt: typeof systemPrompt === 'string' ? systemPrompt : DEFAULTS.systemPrompt,
    maxTokens: typeof maxTokens === 'number' ? maxTokens : DEFAULTS.maxTokens,
    temperature: typeof temperature === 'number' ? temperature : null,
    repairDiagrams: repairDiagrams !== false
  });
}

/** {@link IChatSettings} over Lab's settings. */
export class LabChatSettings implements IChatSettings, IDisposable {
  /** Load the settings; where that fails, the defaults hold. */
  static async load(registry: ISettingRegistry | null): Promise<LabChatSettings> {
    try {
      return new LabChatSettings((await registry?.load(PluginIds.chat)) ?? null);
    } catch (error) {
      console.warn('jupyter_localllm: the settings could not be read; the defaults are used.', error);
      return new LabChatSettings(null);
    }
  }

  constructor(private readonly _settings: ISettingRegistry.ISettings | null) {
    _settings?.changed.connect(this._update, this);
    this._update();
  }

  get current(): ChatSettings {
    return this._current;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private _update = (): void => {
    this._current = readSettings(this._settings?.composite ?? {});
    this._changed.emit();
  };

  private readonly _changed = new Signal<this, void>(this);
  private _current = DEFAULTS;
  private _isDisposed = false;
}
