import { readdir, readFile } from 'node:fs/promises'
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Registry } from './registry.ts'

export interface ProcessFigures {
  /** Reads what cannot be read synchronously; to be awaited before a scrape is rendered. */
  refresh(): Promise<void>
  close(): void
}

// A probe every 50 ms: each one wakes the process.
const resolutionMs = 50

export function addProcessFigures(registry: Registry, version: string | undefined): ProcessFigures {
  const memory = (read: (usage: NodeJS.MemoryUsage) => number) => () => read(process.memoryUsage())

  registry.gauge('process_start_time_seconds', 'Start of the process, Unix time', () => startTime)
  registry.collectedCounter('process_cpu_seconds_total', 'CPU time used, user and system', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  registry.gauge('process_resident_memory_bytes', 'Memory in RAM', () => process.memoryUsage.rss())
  registry.gauge(
    'nodejs_heap_size_total_bytes',
    'JavaScript heap reserved',
    memory((usage) => usage.heapTotal)
  )
  registry.gauge(
    'nodejs_heap_size_used_bytes',
    'JavaScript heap in use',
    memory((usage) => usage.heapUsed)
  )
  registry.gauge(
    'nodejs_external_memory_bytes',
    'Memory of buffers and native objects',
    memory((usage) => usage.external)
  )

  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  registry.gauge('nodejs_eventloop_delay_seconds', 'Event loop delay since the last scrape', () => {
    const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000)
    const samples = [50, 99, 100].map((percentile) => ({
      labels: { statistic: percentile === 100 ? 'max' : `p${percentile}` },
      value: delay.count === 0 ? 0 : seconds(delay.percentile(percentile))
    }))
    delay.reset()
    return samples
  })

  let utilization: EventLoopUtilization = performance.eventLoopUtilization()
  registry.gauge(
    'nodejs_eventloop_utilization_ratio',
    'Share of time the event loop worked since the last scrape',
    () => {
      const now = performance.eventLoopUtilization()
      const { utilization: ratio } = performance.eventLoopUtilization(now, utilization)
      utilization = now
      return ratio
    }
  )

  const files = { open: 0, limit: 0 }
  const known = (value: number) => (value > 0 ? [{ labels: {}, value }] : [])
  registry.gauge('process_open_fds', 'Open file descriptors (Linux)', () => known(files.open))
  registry.gauge('process_max_fds', 'Limit of open file descriptors (Linux)', () => known(files.limit))

  info('nodejs_version_info', 'Version of Node.js', process.version)
  if (version !== undefined) info('app_build_info', 'Version of the service', version)

  return {
    async refresh() {
      // There is no /proc outside Linux: then these two have no sample.
      const [open, limits] = await Promise.allSettled([readdir('/proc/self/fd'), readFile('/proc/self/limits', 'utf8')])
      if (open.status === 'fulfilled') files.open = open.value.length
      if (limits.status === 'fulfilled') files.limit = Number(/^Max open files +(\d+)/m.exec(limits.value)?.[1] ?? 0)
    },
    close: () => delay.disable()
  }

  function info(name: string, help: string, value: string): void {
    registry.gauge(name, help, () => [{ labels: { version: value }, value: 1 }])
  }
}

const startTime = performance.timeOrigin / 1000
