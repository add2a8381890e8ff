export { expireFiles, startFileExpiry } from '#files/expiry';
export {
  createFileStore,
  safeName,
  type FileStore,
  type FileToWrite,
  type ReadableFile,
  type WrittenFile,
} from '#files/store';
export {
  createOpenSource,
  limited,
  readAll,
  type FileSource,
  type OpenSource,
  type SourceOptions,
} from '#files/source';
export { archiveKind, unpacked, type ArchiveKind } from '#files/extract';
export { createSftp, type SftpServer, type SftpSession, type UseSftp } from '#files/sftp';
