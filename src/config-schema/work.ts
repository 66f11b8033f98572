import { group } from '../config-variables.ts'

const cache = group('Cache and idempotency')
const jobs = group('Jobs')
const mail = group('Mail')

/** What it does beside answering requests, and what it keeps to answer faster. */
export const work = {
  CACHE_DEFAULT_TTL: cache.integer('How long answers are kept by routes that do not say it themselves', 1, 86_400, {
    default: 3600,
    unit: 's'
  }),
  CLIENT_CACHE_MAX_AGE: cache.integer('How long browsers may keep public answers', 0, 86_400, {
    default: 60,
    unit: 's'
  }),
  IDEMPOTENCY_TTL_HOURS: cache.integer('How long the answer to an `Idempotency-Key` is kept', 1, 720, {
    default: 24,
    unit: 'h'
  }),

  JOBS_IN_PROCESS: jobs.optionalFlag('Work jobs in the API process; default: only when the database is embedded'),
  JOBS_CONCURRENCY: jobs.integer('Jobs of one kind at once in one worker', 1, 100, { default: 5 }),
  HEARTBEAT_INTERVAL_SECONDS: jobs.integer(
    'A run is taken for dead when its worker is silent for this long',
    10,
    3600,
    {
      default: 30,
      unit: 's'
    }
  ),

  SMTP_URL: mail.optional(
    'Mail server, `smtp://user:password@host:587`, or `smtps://` for TLS from the start; without it mails are files in `DATA_DIR` (`local`), elsewhere none are sent',
    { secret: true, format: 'smtp-url' }
  ),
  MAIL_FROM: mail.text('Sender of mails, `name@host` or `Name <name@host>`', {
    default: 'no-reply@localhost',
    format: 'mail-sender'
  })
}
