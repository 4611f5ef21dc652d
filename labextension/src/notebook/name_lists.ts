/**
 * Names for completion: the kernel's variables, the server's files, the models.
 *
 * Names only; what they stand for is read when something is attached.
 */

import type { Contents, Kernel } from '@jupyterlab/services';

import type { FileEntry, NameSource } from '../chat/completions.js';
import type { IChatModel } from '../chat/state.js';
import type { ContextSource } from '../chat/workbench.js';
import type { Translator } from '../service/status_text.js';
import type { ActiveNotebook } from './active_notebook.js';
import { resolvePath } from './context_sources.js';
import type { ContextSources } from './context_sources.js';
import { listVariables } from './kernel_variables.js';
import type { VariableName } from './variable_query.js';

/** Implements the names of completion on Lab. */
export class NameLists implements NameSource {
  /** What a kernel told last, for when it is busy. */
  private readonly known = new WeakMap<Kernel.IKernelConnection, readonly VariableName[]>();

  constructor(
    private readonly notebook: ActiveNotebook,
    private readonly sources: ContextSources,
    private readonly contents: Contents.IManager,
    private readonly model: IChatModel,
    private readonly trans: Translator
  ) {}

  contextSources(): readonly ContextSource[] {
    return this.sources.list();
  }

  async variables(): Promise<readonly VariableName[]> {
    const { kernel } = this.notebook;
    if (kernel === null) {
      return [];
    }
    const names = (await listVariables(kernel, this.trans)) ?? this.known.get(kernel) ?? [];
    this.known.set(kernel, names);
    return names;
  }

  async files(folder: string): Promise<readonly FileEntry[]> {
    const path = resolvePath(folder, this.notebook.panel?.context.path ?? '');
    try {
      const listing = await this.contents.get(path.replace(/\/+$/, ''), { content: true });
      const entries: unknown = listing.content;
      return Array.isArray(entries)
        ? (entries as readonly Contents.IModel[]).map(({ name, type }) => ({
            name,
            isFolder: type === 'directory'
          }))
        : [];
    } catch {
      // A folder that is not there (yet) has nothing to complete.
      return [];
    }
  }

  models(): readonly string[] {
    return this.model.state.models.filter(({ canChat }) => canChat).map(({ id }) => id);
  }
}
