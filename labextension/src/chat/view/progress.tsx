/**
 * What goes on before the first token of an answer, and a mark that it is being written.
 */

import * as React from 'react';

import type { AnswerProgress, ILiveAnswer } from '../state';
import { useChat, useSubscription } from './context';
import { describeProgress, progressPart } from './text';

const WAITING: AnswerProgress = {
  queuePosition: null,
  promptTokensDone: null,
  promptTokensTotal: null,
  isLoadingModel: false,
  loadProgress: null
};

export function Progress({ messageId }: { readonly messageId: string }): React.JSX.Element | null {
  const { model } = useChat();
  const live = React.useSyncExternalStore(useSubscription(model.changed), () =>
    model.live(messageId)
  );
  return live === null ? <ProgressLine progress={WAITING} /> : <LiveProgress live={live} />;
}

function LiveProgress({ live }: { readonly live: ILiveAnswer }): React.JSX.Element | null {
  // With the first token it turns to `null` and stays so: tokens do not come by here.
  const progress = React.useSyncExternalStore(useSubscription(live.changed), () =>
    live.text === '' ? (live.progress ?? WAITING) : null
  );
  return progress === null ? null : <ProgressLine progress={progress} />;
}

function ProgressLine({ progress }: { readonly progress: AnswerProgress }): React.JSX.Element {
  const { trans } = useChat();
  const part = progressPart(progress);
  const text = describeProgress(progress, trans);
  return (
    <div className="jp-LocalLLMChat-progress">
      <span>{text}</span>
      <progress
        className="jp-LocalLLMChat-bar"
        aria-label={text}
        max={1}
        {...(part === null ? {} : { value: part })}
      />
    </div>
  );
}
