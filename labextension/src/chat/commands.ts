/**
 * The command line of the chat: what a submitted text does.
 *
 * Joins the pure parsers with the chat's model and with what reads notebooks and saves files, all
 * through interfaces, so that it runs under Node. What goes to the model goes as text and chips
 * only; where something that was asked for cannot be attached, nothing is sent.
 */

import type { ContextItem } from '../chat_protocol.js';
import type { Translator } from '../service/status_text.js';
import { nearestWord, parseLine } from './command_parser.js';
import type { CommandName } from './command_parser.js';
import { helpText } from './command_texts.js';
import { completeInput } from './completions.js';
import type { NameSource } from './completions.js';
import { EXPORT_FORMATS, fileStem, saveNewFile } from './export_file.js';
import type { FileStore } from './export_file.js';
import { mentionProblem } from './mention_problems.js';
import { findMentions } from './mentions.js';
import type { IChatModel, Notice } from './state.js';
import type { CompletionList, ICommandLine, IContextSources, Submission } from './workbench.js';

/** The active cell for `/explain` and `/fix`: an attachment, or why there is none. */
export interface ActiveCellReader {
  readCell(): ContextItem | string;
  readActiveError(): ContextItem | string;
}

/** Where exports go. */
export interface ExportPlace {
  readonly store: FileStore;
  /** The folder that the file browser shows. */
  folder(): string;
  open(path: string): void;
}

/** What the command line works on. */
export interface CommandLineOptions {
  readonly model: IChatModel;
  readonly sources: IContextSources;
  readonly activeCell: ActiveCellReader;
  readonly names: NameSource;
  readonly exports: ExportPlace;
  readonly trans: Translator;
}

/** A failure as a notice says it; failures of the server bring a next step along. */
function describeFailure(error: unknown): { message: string; hint: string } {
  const message = error instanceof Error ? error.message : String(error);
  const hint: unknown = error instanceof Error && 'hint' in error ? error.hint : '';
  return { message, hint: typeof hint === 'string' ? hint : '' };
}

/** Implements `/commands` and `@mentions` on a chat. */
export class CommandLine implements ICommandLine {
  private isBusy = false;
  private readonly trans: Translator;

  constructor(private readonly options: CommandLineOptions) {
    this.trans = options.trans;
  }

  complete(text: string, cursor: number): Promise<CompletionList | null> {
    return completeInput(text, cursor, this.options.names, this.trans);
  }

  async attach(mention: string): Promise<boolean> {
    try {
      this.options.model.addChip(await this.options.sources.resolve(mention));
      return true;
    } catch (error) {
      const { message, hint } = describeFailure(error);
      this.warn(message, hint);
      return false;
    }
  }

  /** One text at a time: a second Enter while files are read sends nothing twice. */
  async submit(text: string): Promise<Submission> {
    if (this.isBusy || text.trim() === '') {
      return 'kept';
    }
    this.isBusy = true;
    try {
      return await this.submitLine(text);
    } finally {
      this.isBusy = false;
    }
  }

  private async submitLine(text: string): Promise<Submission> {
    const line = parseLine(text.trimEnd());
    switch (line.kind) {
      case 'text':
        return this.send(text.trim(), '', []);
      case 'command':
        return this.run(line.name, line.rest);
      case 'unknown':
        this.warn(
          this.trans.__('There is no command "/%1". Did you mean "/%2"?', line.word, line.nearest),
          this.trans.__('/help lists the commands. To send this as text, put a space before it.')
        );
        return 'kept';
    }
  }

  private run(name: CommandName, rest: string): Promise<Submission> | Submission {
    const { model } = this.options;
    switch (name) {
      case 'help':
        this.tell(this.trans.__('Commands'), helpText(this.trans));
        return 'done';
      case 'new':
      case 'clear':
        model.newChat();
        return 'done';
      case 'explain':
        return this.explain(rest);
      case 'fix':
        return this.fix(rest);
      case 'generate':
        return this.generate(rest);
      case 'export':
        return this.export(rest);
      case 'model':
        return this.chooseModel(rest);
      case 'system':
        return this.setSystemPrompt(rest);
    }
  }

  /** Read all mentions, show them as chips, then send; where one fails, nothing is sent. */
  private async send(
    content: string,
    action: string,
    items: readonly ContextItem[]
  ): Promise<Submission> {
    const { model, sources } = this.options;
    const attached = [...items];
    const done = new Set<string>();
    try {
      for (const mention of findMentions(content)) {
        const problem = mentionProblem(mention, this.trans);
        if (problem !== null) {
          throw new Error(problem);
        }
        if (!done.has(mention.raw)) {
          done.add(mention.raw);
          attached.push(await sources.resolve(mention.raw));
        }
      }
    } catch (error) {
      const { message, hint } = describeFailure(error);
      const next = this.trans.__('Nothing was sent. To write about a mention, put it in backticks.');
      this.warn(message, hint === '' ? next : `${hint} ${next}`);
      return 'kept';
    }
    for (const item of attached) {
      model.addChip(item);
    }
    // Where there was no room for one, the model has said so.
    const hasChip = ({ label, source }: ContextItem): boolean =>
      model.state.chips.some(({ item }) => item.label === label && item.source === source);
    if (!attached.every(hasChip)) {
      return 'kept';
    }
    return (await model.ask({ content, action })) ? 'sent' : 'kept';
  }

  private async explain(words: string): Promise<Submission> {
    const cell = this.options.activeCell.readCell();
    if (typeof cell === 'string') {
      this.warn(cell, this.trans.__('Select the cell to explain, then send /explain again.'));
      return 'kept';
    }
    const error = this.options.activeCell.readActiveError();
    const items = typeof error === 'string' ? [cell] : [cell, error];
    return this.send(words === '' ? this.trans.__('Explain this cell.') : words, 'explain', items);
  }

  private async fix(words: string): Promise<Submission> {
    const cell = this.options.activeCell.readCell();
    const error = this.options.activeCell.readActiveError();
    const reason = [cell, error].find(reading => typeof reading === 'string');
    if (typeof cell === 'string' || typeof error === 'string') {
      this.warn(
        typeof reason === 'string' ? reason : '',
        this.trans.__('Select the failing cell, then send /fix again.')
      );
      return 'kept';
    }
    const content = words === '' ? this.trans.__('Fix this cell.') : words;
    return this.send(content, 'fix', [cell, error]);
  }

  private async generate(words: string): Promise<Submission> {
    if (words === '') {
      this.warn(
        this.trans.__('Say what to write.'),
        this.trans.__('For example: /generate a function that reads a CSV file')
      );
      return 'kept';
    }
    return this.send(words, 'generate', []);
  }

  private async export(words: string): Promise<Submission> {
    const wanted = words === '' ? 'md' : words.replace(/^\./, '').toLowerCase();
    const format = EXPORT_FORMATS.find(known => known === wanted);
    const { model, exports } = this.options;
    if (format === undefined) {
      const formats = EXPORT_FORMATS.join(', ');
      this.warn(this.trans.__('A chat cannot be saved as "%1", only as %2.', words, formats));
      return 'kept';
    }
    const { chat } = model.state;
    if (!chat.isKept) {
      this.warn(this.trans.__('This chat is still empty, so there is nothing to save.'));
      return 'kept';
    }
    try {
      const text = await model.exportChat(chat.chatId, format);
      const stem = fileStem(chat.title, 'chat');
      const path = await saveNewFile(exports.store, exports.folder(), stem, format, text);
      this.tell(this.trans.__('The chat was saved as %1.', path), '', {
        label: this.trans.__('Open'),
        run: () => {
          exports.open(path);
        }
      });
      return 'done';
    } catch (error) {
      this.warn(
        this.trans.__('The chat could not be saved: %1', describeFailure(error).message),
        this.trans.__('Check that the folder shown in the file browser can be written to.')
      );
      return 'kept';
    }
  }

  private chooseModel(words: string): Submission {
    const { model } = this.options;
    const [first, ...others] = model.state.models.filter(({ canChat }) => canChat).map(({ id }) => id);
    if (first === undefined) {
      this.warn(
        this.trans.__('There is no model to choose.'),
        this.trans.__('Put a .gguf file into a models folder, or wait until the server answers.')
      );
      return 'kept';
    }
    if (words === '') {
      const current = model.state.models.find(
        ({ id, isDefault }) => id === model.state.modelId || (model.state.modelId === '' && isDefault)
      );
      this.tell(this.trans.__('The next question goes to %1.', current?.id ?? model.state.modelId));
      return 'done';
    }
    const wanted = words.toLowerCase();
    const ids = [first, ...others];
    const matches = ids.filter(id => id.toLowerCase().startsWith(wanted));
    const exact = ids.find(id => id.toLowerCase() === wanted);
    const chosen = exact ?? (matches.length === 1 ? matches[0] : undefined);
    if (chosen === undefined) {
      this.warn(
        matches.length > 1
          ? this.trans.__('"%1" could be any of: %2.', words, matches.join(', '))
          : this.trans.__('There is no model "%1". Did you mean "%2"?', words, nearestWord(words, [first, ...others])),
        this.trans.__('Type /model and a space to see all of them.')
      );
      return 'kept';
    }
    model.chooseModel(chosen);
    this.tell(this.trans.__('The next question goes to %1.', chosen));
    return 'done';
  }

  private async setSystemPrompt(words: string): Promise<Submission> {
    const { model } = this.options;
    if (words === '') {
      const { systemPrompt } = model.state.chat;
      if (systemPrompt === '') {
        this.tell(this.trans.__('This chat has no instructions.'));
      } else {
        this.tell(this.trans.__('The instructions of this chat:'), systemPrompt);
      }
      return 'done';
    }
    const isOff = words.toLowerCase() === 'off';
    await model.setSystemPrompt(isOff ? '' : words);
    this.tell(
      isOff
        ? this.trans.__('This chat has no instructions any more.')
        : this.trans.__('The instructions of this chat were set.')
    );
    return 'done';
  }

  private tell(message: string, hint = '', action?: NonNullable<Notice['action']>): void {
    this.options.model.notify({
      severity: 'info',
      message,
      hint,
      ...(action === undefined ? {} : { action })
    });
  }

  private warn(message: string, hint = ''): void {
    this.options.model.notify({ severity: 'warning', message, hint });
  }
}
