/** What a model can be opened from. These are types alone: what a browser has and Node has not is spelled out here. */

/** What is used of a `File`. */
export interface GivenFile extends Blob {
  readonly name: string;
  /** Its path in the folder that was picked, which begins with that folder's name. */
  readonly webkitRelativePath?: string;
}

/** What is used of a `FileSystemDirectoryHandle`: a folder that was picked, or one that the browser keeps for the page. */
export interface FolderHandle {
  readonly kind: "directory";
  readonly name: string;
  getDirectoryHandle(name: string): Promise<FolderHandle>;
  getFileHandle(name: string): Promise<{ getFile(): Promise<Blob> }>;
}

/** What is used of a `FileSystemDirectoryEntry`: a folder that was dropped (`DataTransferItem.webkitGetAsEntry`). */
export interface FolderEntry {
  readonly isDirectory: boolean;
  readonly name: string;
  getFile(
    path: string,
    options: { readonly create?: boolean },
    found: (entry: { readonly isFile: boolean }) => void,
    failed: (error: Error) => void,
  ): void;
}

/** Files by their path in the model folder, each in memory or at an address of its own. */
export type FilesByPath = Readonly<Record<string, URL | Blob>>;

/**
 * Where a model is. In Node: the path of a folder, or its file: address. In a browser: the address of a folder; the files of a
 * picked one (`<input webkitdirectory>`) or dropped ones; a `FileSystemDirectoryHandle` or `FileSystemDirectoryEntry`. In both: files
 * by their paths.
 */
export type ModelSource =
  | string
  | URL
  | Iterable<GivenFile>
  | ArrayLike<GivenFile>
  | FolderHandle
  | FolderEntry
  | FilesByPath;
