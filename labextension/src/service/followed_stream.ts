/**
 * One answer as it comes over the wire: lets its numbered frames through once and in order.
 *
 * A frame that was there is dropped; one that leaves a gap, or that begins before and ends after
 * the last one (its text cannot be cut), is answered by asking again from the last good number.
 * No socket and no clock of its own: `connection.ts` calls it.
 */

import type { NumberedFrame } from '../frames';
import type { Ports } from './connection_ports';

/** What to do about a frame; `wait`: what is missing has been asked for already. */
export type Verdict = 'deliver' | 'ignore' | 'resume' | 'wait';

/** Milliseconds after which what was asked again is asked once more. */
const RESUME_TIMEOUT_MS = 2_000;

/** Times that an answer is asked again without anything new before it is given up. */
const MAX_BARREN_RESUMES = 8;

export class FollowedStream {
  /** The number of the last frame that was let through. */
  lastSeq = 0;

  /** Whether the server is known to have this answer, so that it can be resumed. */
  isBegun = false;

  /** Whether something came that could not be let through, and nothing good since. */
  hasGap = false;

  constructor(readonly requestId: string) {}

  /** Whether it was asked again and again for nothing: something in between loses frames. */
  get isHopeless(): boolean {
    return this._nBarren > MAX_BARREN_RESUMES;
  }

  judge(frame: NumberedFrame, now: number): Verdict {
    this.isBegun = true;
    const firstSeq = frame.type === 'delta' ? frame.firstSeq : frame.seq;
    if (firstSeq === this.lastSeq + 1) {
      this.lastSeq = frame.seq;
      this._resumedAt = null;
      this._nBarren = 0;
      this.hasGap = false;
      return 'deliver';
    }
    if (frame.seq <= this.lastSeq) {
      return 'ignore';
    }
    this.hasGap = true;
    const isWaiting = this._resumedAt !== null && now - this._resumedAt < RESUME_TIMEOUT_MS;
    return isWaiting ? 'wait' : 'resume';
  }

  /** It is asked for again, after {@link lastSeq}. */
  markResumed(now: number): void {
    this.isBegun = true;
    this._resumedAt = now;
    this._nBarren += 1;
  }

  /** The connection is a new one; what was asked over the old one does not count. */
  markReconnected(): void {
    this._resumedAt = null;
    this._nBarren = 0;
    this.hasGap = false;
  }

  private _resumedAt: number | null = null;
  private _nBarren = 0;
}

/** What becomes of frames and streams. */
export interface StreamHooks {
  /** Ask the server for everything after `lastSeq`; does nothing while the connection is lost. */
  resume(requestId: string, lastSeq: number): void;
  deliver(frame: NumberedFrame): void;
  /** Parts of the answer do not arrive, however often they are asked for. */
  lose(requestId: string): void;
}

/** All answers that one connection follows. */
export class FollowedStreams {
  constructor(
    private readonly _ports: Ports,
    private readonly _hooks: StreamHooks
  ) {}

  /** Expect an answer that is being asked for. */
  expect(requestId: string): FollowedStream {
    const stream = this._streams.get(requestId) ?? new FollowedStream(requestId);
    this._streams.set(requestId, stream);
    return stream;
  }

  /** Follow an answer that the server has. */
  follow(requestId: string): void {
    const stream = this.expect(requestId);
    if (!stream.isBegun) {
      this._resume(stream);
    }
  }

  delete(requestId: string): void {
    this._streams.delete(requestId);
  }

  clear(): void {
    this._ports.clearTimeout(this._timer);
    this._streams.clear();
  }

  /** The connection is open again: go on with every answer that the server is known to have. */
  reconnect(): void {
    for (const stream of this._streams.values()) {
      stream.markReconnected();
      if (stream.isBegun) {
        this._resume(stream);
      }
    }
  }

  receive(frame: NumberedFrame): void {
    const stream = this._streams.get(frame.requestId);
    switch (stream?.judge(frame, this._ports.now())) {
      case 'deliver':
        if (frame.type === 'done' || frame.type === 'error') {
          this._streams.delete(frame.requestId);
        }
        this._hooks.deliver(frame);
        return;
      case 'resume':
        this._fill(frame.requestId);
        return;
      case 'wait':
        this._lookLater();
        return;
      case 'ignore':
      case undefined:
    }
  }

  private _resume(stream: FollowedStream): void {
    stream.markResumed(this._ports.now());
    this._hooks.resume(stream.requestId, stream.lastSeq);
  }

  private _fill(requestId: string): void {
    const stream = this.expect(requestId);
    this._resume(stream);
    this._lookLater();
    if (stream.isHopeless) {
      this._streams.delete(requestId);
      this._hooks.lose(requestId);
    }
  }

  /** The last frame of an answer may be the one that left a gap: nothing comes after it. */
  private _lookLater(): void {
    this._timer ??= this._ports.setTimeout(() => {
      this._timer = null;
      [...this._streams.values()]
        .filter(({ hasGap }) => hasGap)
        .forEach(({ requestId }) => {
          this._fill(requestId);
        });
    }, RESUME_TIMEOUT_MS);
  }

  private readonly _streams = new Map<string, FollowedStream>();
  private _timer: unknown = null;
}
