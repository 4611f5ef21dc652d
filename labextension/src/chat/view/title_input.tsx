/**
 * The name of a chat being changed in its place. Enter and leaving keep it, Escape does not.
 */

import * as React from 'react';

import { useChat } from './context';

export interface TitleInputProps {
  readonly title: string;
  /** With the new name, or `null` where it stays. */
  readonly onDone: (title: string | null) => void;
}

export function TitleInput({ title, onDone }: TitleInputProps): React.JSX.Element {
  const { trans } = useChat();
  const [draft, setDraft] = React.useState(title);
  const input = React.useRef<HTMLInputElement>(null);
  const isDone = React.useRef(false);
  React.useEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const finish = (isKept: boolean) => {
    // Going away takes the focus, which must not finish a second time.
    if (!isDone.current) {
      isDone.current = true;
      const name = draft.trim();
      onDone(isKept && name !== '' && name !== title ? name : null);
    }
  };
  return (
    <input
      ref={input}
      className="jp-LocalLLMChat-titleInput"
      value={draft}
      maxLength={200}
      aria-label={trans.__('Title of this chat')}
      onChange={event => {
        setDraft(event.target.value);
      }}
      onBlur={() => {
        finish(true);
      }}
      onKeyDown={event => {
        if (!event.nativeEvent.isComposing && ['Enter', 'Escape'].includes(event.key)) {
          event.preventDefault();
          event.stopPropagation();
          finish(event.key === 'Enter');
        }
      }}
    />
  );
}
