export { readAddresses, type MailAddress } from '#mail/address';
export {
  createMail,
  type Mail,
  type MailAttachment,
  type MailMessage,
  type MailResult,
  type SmtpServer,
} from '#mail/mail';
