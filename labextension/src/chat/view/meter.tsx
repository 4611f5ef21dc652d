/**
 * How much of the model's context window the conversation takes.
 */

import * as React from 'react';

import { useChat, useChatState } from './context';
import { describeContextUse, formatCount } from './text';

/** From here on the meter warns. */
const TIGHT = 0.85;

export function ContextMeter(): React.JSX.Element | null {
  const { trans } = useChat();
  const { contextUse } = useChatState();
  if (contextUse === null || contextUse.windowTokens <= 0) {
    return null;
  }
  const { usedTokens, windowTokens } = contextUse;
  const part = Math.min(1, usedTokens / windowTokens);
  const text = describeContextUse(contextUse, trans);
  return (
    <div
      className="jp-LocalLLMChat-meter"
      role="meter"
      aria-label={trans.__('Context window')}
      aria-valuemin={0}
      aria-valuemax={windowTokens}
      aria-valuenow={Math.min(usedTokens, windowTokens)}
      aria-valuetext={text}
      title={text}
      data-tight={part >= TIGHT}
    >
      <span className="jp-LocalLLMChat-meterBar" aria-hidden="true">
        <span style={{ width: `${Math.round(part * 100)}%` }} />
      </span>
      <span aria-hidden="true">
        {formatCount(usedTokens)} / {formatCount(windowTokens)}
      </span>
    </div>
  );
}
