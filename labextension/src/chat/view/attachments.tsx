/**
 * What was sent with a question, each as a chip that opens to the exact text.
 */

import * as React from 'react';

import type { ContextItem } from '../../chat_protocol';
import { useChat } from './context';
import { describeItem, describeTokens } from './text';

export function Attachments({
  items
}: {
  readonly items: readonly ContextItem[];
}): React.JSX.Element {
  const { trans } = useChat();
  return (
    <ul className="jp-LocalLLMChat-attachments" aria-label={trans.__('Sent with this question')}>
      {items.map((item, index) => (
        <li key={`${item.label} ${index}`}>
          <Attachment item={item} />
        </li>
      ))}
    </ul>
  );
}

function Attachment({ item }: { readonly item: ContextItem }): React.JSX.Element {
  const { trans } = useChat();
  const [isOpen, setIsOpen] = React.useState(false);
  return (
    <details
      className="jp-LocalLLMChat-chip"
      data-kind={item.kind}
      onToggle={event => {
        setIsOpen(event.currentTarget.open);
      }}
    >
      <summary>
        <span className="jp-LocalLLMChat-chipLabel">{item.label}</span>
        {item.tokens === null ? null : (
          <span className="jp-LocalLLMChat-chipTokens">{describeTokens(item.tokens, trans)}</span>
        )}
      </summary>
      {isOpen ? <ItemText item={item} /> : null}
    </details>
  );
}

/** The very text that the model is given. */
export function ItemText({ item }: { readonly item: ContextItem }): React.JSX.Element {
  const { trans } = useChat();
  const facts = describeItem(item, trans);
  return (
    <div className="jp-LocalLLMChat-itemText">
      {facts.length === 0 ? null : <p className="jp-LocalLLMChat-hint">{facts.join(' · ')}</p>}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- Safari scrolls by keys only what has the focus */}
      <pre tabIndex={0}>{item.text}</pre>
    </div>
  );
}
