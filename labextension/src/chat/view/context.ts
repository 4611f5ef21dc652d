/**
 * What every component of the chat may use, and the hooks that read it.
 *
 * No component lives here. Filled by `index.tsx`.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import { createContext, useContext, useMemo, useSyncExternalStore } from 'react';

import type { DecorateCode } from '../markdown/code_view';
import type { FrameQueue } from '../markdown/frame_queue';
import type { MarkdownRenderer } from '../markdown/renderer';
import type { ChatState, IChatModel } from '../state';
import type { Workbench } from '../workbench';
import type { NearWatch } from './near_watch';

export interface ChatServices {
  readonly model: IChatModel;
  readonly workbench: Workbench;
  readonly trans: TranslationBundle;
  readonly renderer: MarkdownRenderer;
  readonly queue: FrameQueue;
  readonly nearWatch: NearWatch;
  readonly decorateCode: DecorateCode;
  /** Put a text into the input. */
  readonly writeDraft: (text: string) => void;
  /** Somebody else than the one who types has written the draft. */
  readonly draftWritten: ISignal<object, void>;
  /** Have a sentence read by screen readers. */
  readonly announce: (text: string) => void;
}

export const ChatContext = createContext<ChatServices | null>(null);

export function useChat(): ChatServices {
  const services = useContext(ChatContext);
  if (services === null) {
    throw new Error('The chat component is outside of its context.');
  }
  return services;
}

/** A function for React that calls back when a signal fires. */
export function useSubscription<Sender, Args>(
  signal: ISignal<Sender, Args>
): (onChange: () => void) => () => void {
  return useMemo(
    () => (onChange: () => void) => {
      const slot = () => {
        onChange();
      };
      signal.connect(slot);
      return () => {
        signal.disconnect(slot);
      };
    },
    [signal]
  );
}

/** The state as it is now; the component is rendered again when it changes. */
export function useChatState(): ChatState {
  const { model } = useChat();
  return useSyncExternalStore(useSubscription(model.changed), () => model.state);
}
