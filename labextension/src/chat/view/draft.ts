/**
 * The text in the input, shared with the model. Called by `composer.tsx`.
 */

import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import type { IChatModel } from '../state';

/** The draft, also when a command writes it. */
export function useDraft(
  model: IChatModel,
  written: ISignal<object, void>
): [string, (text: string) => void] {
  const [text, setText] = React.useState(model.draft);
  const change = React.useCallback(
    (next: string) => {
      model.draft = next;
      setText(next);
    },
    [model]
  );
  React.useEffect(() => {
    const onChanged = () => {
      setText(model.draft);
    };
    model.changed.connect(onChanged);
    written.connect(onChanged);
    return () => {
      model.changed.disconnect(onChanged);
      written.disconnect(onChanged);
    };
  }, [model, written]);
  return [text, change];
}
