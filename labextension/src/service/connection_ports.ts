/**
 * What the connection needs from the outside, so that tests can hand it sockets and clocks of their
 * own: a socket, a probe, timers, and word of the page waking up.
 *
 * `browserPorts` is the real thing; called by `chat/open.ts`.
 */

import type { IDisposable } from '@lumino/disposable';

import type { WireError } from '../protocol';
import { ApiCodes, ApiError } from './api.js';
import { VERSION_CODE } from './status.js';

/** The part of a WebSocket that is used. */
export interface Socket {
  onmessage: ((event: MessageEvent<unknown>) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(): void;
}

/** Whether it makes sense to go on trying. */
export type Probe =
  | { readonly kind: 'there' }
  | { readonly kind: 'away' }
  | { readonly kind: 'refused'; readonly error: WireError };

export interface Ports {
  openSocket(): Socket;
  /** Ask over HTTP why the socket does not open. */
  probe(): Promise<Probe>;
  now(): number;
  random(): number;
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Call `wake` when the page is seen again or the machine is back on its network. */
  onWake(wake: (reason: 'visible' | 'online') => void): IDisposable;
}

/** Turn what `localllm/status` said into a probe. */
export async function probeBy(ask: () => Promise<unknown>): Promise<Probe> {
  try {
    await ask();
    return { kind: 'there' };
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    const isRefusal =
      error.status === 401 ||
      error.status === 403 ||
      error.wire.code === VERSION_CODE ||
      error.wire.code === ApiCodes.noExtension;
    return isRefusal ? { kind: 'refused', error: error.wire } : { kind: 'away' };
  }
}

/** The ports of a page. */
export function browserPorts(openSocket: () => Socket, ask: () => Promise<unknown>): Ports {
  return {
    openSocket,
    probe: () => probeBy(ask),
    now: () => performance.now(),
    random: () => Math.random(),
    setTimeout: (run, delayMs) => setTimeout(run, delayMs),
    clearTimeout: timer => {
      clearTimeout(timer as ReturnType<typeof setTimeout>);
    },
    onWake: wake => {
      const abort = new AbortController();
      const { signal } = abort;
      const onVisible = (): void => {
        if (document.visibilityState === 'visible') {
          wake('visible');
        }
      };
      document.addEventListener('visibilitychange', onVisible, { signal });
      window.addEventListener(
        'online',
        () => {
          wake('online');
        },
        { signal }
      );
      return {
        get isDisposed() {
          return signal.aborted;
        },
        dispose: () => {
          abort.abort();
        }
      };
    }
  };
}
