/** Sockets, a clock and a server of streams under the control of a test. */

import type { Ports, Probe, Socket } from '../service/connection_ports';

/** The page's end of a socket; a test plays the server's end. */
export class FakeSocket implements Socket {
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  readonly sent: Record<string, unknown>[] = [];
  isClosed = false;
  /** Called with each frame of the page. */
  onSent: (frame: Record<string, unknown>) => void = () => undefined;

  send(text: string): void {
    const frame = JSON.parse(text) as Record<string, unknown>;
    this.sent.push(frame);
    this.onSent(frame);
  }

  close(): void {
    this.isClosed = true;
  }

  /** The server sends a frame. */
  tell(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) } as MessageEvent<unknown>);
  }

  hello(version = 1): void {
    this.tell({ type: 'hello', protocol_version: version, server_version: '0.1.0' });
  }

  /** The connection breaks. */
  cut(): void {
    this.isClosed = true;
    this.onclose?.({} as CloseEvent);
  }
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Ports whose time only goes on when the test says so. */
export class FakePorts implements Ports {
  readonly sockets: FakeSocket[] = [];
  probeResult: Probe = { kind: 'away' };
  nProbes = 0;
  nWakers = 0;
  wake: (reason: 'visible' | 'online') => void = () => undefined;
  private readonly _timers = new Map<number, Timer>();
  private _clock = 0;
  private _nTimers = 0;

  constructor(readonly random: () => number = () => 0.5) {}

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) {
      throw new Error('no socket was opened');
    }
    return last;
  }

  get nTimers(): number {
    return this._timers.size;
  }

  openSocket(): FakeSocket {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket;
  }

  probe(): Promise<Probe> {
    this.nProbes += 1;
    return Promise.resolve(this.probeResult);
  }

  now(): number {
    return this._clock;
  }

  setTimeout(run: () => void, delayMs: number): number {
    this._nTimers += 1;
    this._timers.set(this._nTimers, { at: this._clock + delayMs, run });
    return this._nTimers;
  }

  clearTimeout(timer: unknown): void {
    this._timers.delete(timer as number);
  }

  onWake(wake: (reason: 'visible' | 'online') => void): { isDisposed: boolean; dispose(): void } {
    this.wake = wake;
    this.nWakers += 1;
    return {
      isDisposed: false,
      dispose: () => {
        this.nWakers -= 1;
      }
    };
  }

  /** Let time go by, with what is due and what it promised. */
  async pass(milliseconds: number): Promise<void> {
    const end = this._clock + milliseconds;
    await settled();
    for (;;) {
      const due = [...this._timers].filter(([, { at }]) => at <= end);
      const next = due.sort(([, a], [, b]) => a.at - b.at)[0];
      if (next === undefined) {
        break;
      }
      this._timers.delete(next[0]);
      this._clock = next[1].at;
      next[1].run();
      await settled();
    }
    this._clock = end;
  }
}

/** Wait until every promise that can be settled is, and what it promised in turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise(resolve => {
      setImmediate(resolve);
    });
  }
}
