/**
 * What an empty chat shows: one sentence and three things to begin with.
 */

import * as React from 'react';

import { useChat, useSubscription } from './context';
import { sparkIcon } from './icons';
import { hintOf, messageOf } from './failure';

export function EmptyState(): React.JSX.Element {
  const { model, trans, workbench, writeDraft } = useChat();
  const { suggestions, commandLine } = workbench;
  const [shown, setShown] = React.useState(() => suggestions.list());
  const subscribe = useSubscription(suggestions.changed);
  React.useEffect(
    () =>
      subscribe(() => {
        setShown(suggestions.list());
      }),
    [subscribe, suggestions]
  );
  const submit = async (text: string): Promise<void> => {
    try {
      if ((await commandLine.submit(text)) === 'kept') {
        writeDraft(text);
      }
    } catch (error) {
      model.notify({
        severity: 'error',
        message: messageOf(error, trans.__('The suggestion could not be sent.')),
        hint: hintOf(error)
      });
    }
  };
  return (
    <div className="jp-LocalLLMChat-empty">
      <sparkIcon.react tag="span" className="jp-LocalLLMChat-emptyIcon" aria-hidden="true" />
      <p>{trans.__('Ask a model that runs on this machine.')}</p>
      <ul className="jp-LocalLLMChat-suggestions">
        {shown.map(({ label, text }) => (
          <li key={label}>
            <button
              type="button"
              className="jp-LocalLLMChat-suggestion"
              onClick={() => {
                void submit(text);
              }}
            >
              {label}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
