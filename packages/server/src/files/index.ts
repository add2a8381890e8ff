export { expireFiles, startFileExpiry } from '#files/expiry';
export { createFileStore, type FileStore, type WrittenFile } from '#files/store';
export { createOpenSource, limited, readAll, type FileSource, type OpenSource } from '#files/source';
export { archiveKind, unpacked } from '#files/extract';
export { createSftp, type SftpServer, type SftpSession, type UseSftp } from '#files/sftp';
