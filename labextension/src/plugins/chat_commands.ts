/**
 * The chat's commands: in the palette, for shortcuts and for other extensions.
 *
 * Those that need the chat open it first. Made by `plugins/chat.ts`.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { LabIcon } from '@jupyterlab/ui-components';

import type { OpenedChat } from '../chat/open';
import { CHAT_PANEL_ID, CommandIds } from '../tokens';
import type { ChatPanel } from './chat_panel';
import { chatIcon } from './icon';

interface CommandText {
  readonly id: string;
  readonly label: string;
  readonly caption: string;
  readonly icon?: LabIcon;
  readonly isEnabled?: () => boolean;
  readonly run: (chat: OpenedChat) => unknown;
}

export interface ChatCommandsOptions {
  readonly app: JupyterFrontEnd;
  readonly panel: ChatPanel;
  readonly notebooks: INotebookTracker | null;
  readonly palette: ICommandPalette | null;
  readonly trans: TranslationBundle;
}

function commandTexts({ panel, notebooks, trans }: ChatCommandsOptions): readonly CommandText[] {
  const hasCell = (): boolean => (notebooks?.activeCell ?? null) !== null;
  const isWriting = (): boolean => (panel.chat?.model.state.writingId ?? null) !== null;
  const focus = ({ view }: OpenedChat): void => {
    view.activate();
  };
  return [
    {
      id: CommandIds.openChat,
      label: trans.__('Local LLM: Open Chat'),
      caption: trans.__('Open the chat with the local model and put the cursor into its input'),
      icon: chatIcon,
      run: focus
    },
    {
      id: CommandIds.newChat,
      label: trans.__('Local LLM: New Chat'),
      caption: trans.__('Begin an empty chat; the one before is kept'),
      run: chat => {
        chat.model.newChat();
        focus(chat);
      }
    },
    {
      id: CommandIds.stop,
      label: trans.__('Local LLM: Stop the Answer'),
      caption: trans.__('Stop the answer that is being written in the chat'),
      isEnabled: isWriting,
      run: ({ model }) => {
        model.stop();
      }
    },
    {
      id: CommandIds.askAboutCell,
      label: trans.__('Local LLM: Ask About This Cell'),
      caption: trans.__('Attach the active cell to the next question of the chat'),
      isEnabled: hasCell,
      run: async chat => {
        await chat.workbench.commandLine.attach('@cell');
        focus(chat);
      }
    },
    {
      id: CommandIds.explainCell,
      label: trans.__('Local LLM: Explain This Cell'),
      caption: trans.__('Ask the chat to explain the active cell'),
      isEnabled: hasCell,
      run: ({ workbench }) => workbench.commandLine.submit('/explain')
    },
    {
      id: CommandIds.fixCell,
      label: trans.__('Local LLM: Fix This Cell'),
      caption: trans.__('Ask the chat to fix the error of the active cell'),
      isEnabled: hasCell,
      run: ({ workbench }) => workbench.commandLine.submit('/fix')
    },
    {
      id: CommandIds.exportChat,
      label: trans.__('Local LLM: Save Chat as File'),
      caption: trans.__('Save the chat that is shown as a Markdown file'),
      isEnabled: () => panel.chat === null || panel.chat.model.state.chat.isKept,
      run: ({ workbench }) => workbench.commandLine.submit('/export md')
    },
    {
      id: CommandIds.chooseModel,
      label: trans.__('Local LLM: Choose Model…'),
      caption: trans.__('Choose the model that the next question goes to'),
      run: chat => chat.chooseModel()
    }
  ];
}

function addCommand(
  commands: CommandRegistry,
  { id, label, caption, icon, isEnabled, run }: CommandText,
  open: () => Promise<OpenedChat | null>
): void {
  commands.addCommand(id, {
    label,
    caption,
    ...(icon === undefined ? {} : { icon }),
    ...(isEnabled === undefined ? {} : { isEnabled }),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: async () => {
      const chat = await open();
      if (chat !== null) {
        await run(chat);
      }
    }
  });
}

/** Add the commands, and where there is a palette, their entries. */
export function addChatCommands(options: ChatCommandsOptions): void {
  const { app, panel, notebooks, palette, trans } = options;
  const { commands } = app;
  const open = async (): Promise<OpenedChat | null> => {
    app.shell.activateById(CHAT_PANEL_ID);
    // The panel itself says why it could not be loaded.
    return panel.open().catch(() => null);
  };
  const texts = commandTexts(options);
  const category = trans.__('Local LLM');
  for (const text of texts) {
    addCommand(commands, text, open);
    palette?.addItem({ command: text.id, category });
  }
  const refresh = (): void => {
    texts.forEach(({ id }) => {
      commands.notifyCommandChanged(id);
    });
  };
  notebooks?.activeCellChanged.connect(refresh);
  panel.opened.connect((_, { model }) => {
    let before = '';
    model.changed.connect(({ state }) => {
      // Only what decides whether a command is enabled.
      const now = `${state.writingId ?? ''} ${state.chat.isKept}`;
      if (now !== before) {
        before = now;
        refresh();
      }
    });
    refresh();
  });
}
