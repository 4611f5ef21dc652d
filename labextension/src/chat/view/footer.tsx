/**
 * What was measured of an answer, and why it ended where it did.
 */

import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { MessageRecord } from '../../chat_protocol';
import { useChat } from './context';
import { describeAnswer, describeEnding } from './text';

interface RecordProps {
  readonly record: MessageRecord;
}

export function Footer({ record }: RecordProps): React.JSX.Element | null {
  const { trans } = useChat();
  const facts = describeAnswer(record, trans);
  return (
    <div className="jp-LocalLLMChat-footer" title={record.model}>
      {facts.map(fact => (
        <React.Fragment key={fact}>
          <span>{fact}</span>{' '}
        </React.Fragment>
      ))}
    </div>
  );
}

/** The reason of an unfinished answer, with what to do next. */
export function Ending({ record }: RecordProps): React.JSX.Element | null {
  const { model, trans } = useChat();
  const ending = describeEnding(record, trans);
  if (ending === null) {
    return null;
  }
  const { message, hint, isError } = ending;
  const canRetry = record.state !== 'complete';
  return (
    <div className={isError ? 'jp-LocalLLMChat-error' : 'jp-LocalLLMChat-ending'}>
      <div className="jp-LocalLLMChat-noticeText">
        <span>{message}</span>
        {hint === '' ? null : <span className="jp-LocalLLMChat-hint">{hint}</span>}
      </div>
      {canRetry ? (
        <button
          type="button"
          className="jp-LocalLLMChat-textButton jp-LocalLLMChat-retry"
          onClick={() => {
            void model.regenerate(record.messageId);
          }}
        >
          <refreshIcon.react tag="span" className="jp-LocalLLMChat-icon" aria-hidden="true" />
          {trans.__('Retry')}
        </button>
      ) : null}
    </div>
  );
}
