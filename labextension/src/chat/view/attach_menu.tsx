/**
 * The menu of what can be attached from the open notebook, its kernel and the server's files.
 */

import * as React from 'react';

import type { ContextSource } from '../workbench';
import { useChat, useSubscription } from './context';
import { Popover } from './popover';

export interface AttachMenuProps {
  readonly onChoose: (source: ContextSource) => void;
  readonly onClose: () => void;
}

export function AttachMenu({ onChoose, onClose }: AttachMenuProps): React.JSX.Element {
  const { trans, workbench } = useChat();
  const { contextSources } = workbench;
  const [sources, setSources] = React.useState(() => contextSources.list());
  const subscribe = useSubscription(contextSources.changed);
  React.useEffect(
    () =>
      subscribe(() => {
        setSources(contextSources.list());
      }),
    [subscribe, contextSources]
  );
  return (
    <Popover
      label={trans.__('Attach')}
      className="jp-LocalLLMChat-attachMenu"
      role="menu"
      onClose={onClose}
    >
      {sources.map(source => (
        <button
          key={source.mention}
          type="button"
          role="menuitem"
          data-stop
          data-mention={source.mention}
          className="jp-LocalLLMChat-menuItem"
          aria-disabled={source.whyNot !== null}
          title={source.whyNot ?? source.caption}
          onClick={() => {
            if (source.whyNot === null) {
              onChoose(source);
            }
          }}
        >
          <code>{source.mention}</code>
          <span>{source.whyNot ?? source.caption}</span>
        </button>
      ))}
    </Popover>
  );
}
