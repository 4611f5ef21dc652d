/**
 * A button that shows an icon and says what it does; where it cannot be used, it says why.
 */

import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export interface IconButtonProps {
  readonly icon: LabIcon;
  readonly label: string;
  readonly onClick: () => void;
  readonly className?: string;
  readonly action?: string;
  /** Why it cannot be used now; it stays reachable, so that this can be read. */
  readonly reason?: string | null;
  readonly isExpanded?: boolean;
  readonly popup?: 'dialog' | 'menu';
  readonly text?: string;
}

export const IconButton = React.forwardRef<HTMLButtonElement, IconButtonProps>(
  function IconButton(props, ref): React.JSX.Element {
    const { icon, label, onClick, className, action, reason, isExpanded, popup, text } = props;
    const isOff = reason !== undefined && reason !== null;
    const title = isOff ? `${label}: ${reason}` : label;
    return (
      <button
        ref={ref}
        type="button"
        className={`jp-LocalLLMChat-button${className === undefined ? '' : ` ${className}`}`}
        data-action={action}
        title={title}
        aria-label={title}
        aria-disabled={isOff ? true : undefined}
        aria-haspopup={popup}
        aria-expanded={isExpanded}
        onClick={() => {
          if (!isOff) {
            onClick();
          }
        }}
      >
        <icon.react tag="span" className="jp-LocalLLMChat-icon" aria-hidden="true" />
        {text === undefined ? null : <span>{text}</span>}
      </button>
    );
  }
);
