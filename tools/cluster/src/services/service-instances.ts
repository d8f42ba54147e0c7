import type { EdgeProcess } from '../edge/edge-process.ts'
import { SupervisedProcess } from '../processes/supervised-process.ts'
import { type SharedSettings, serviceProgram } from './service-program.ts'
import { type ServiceName, serviceNames } from './services.ts'

/** One process of a service. */
export interface Instance {
  /** As `orders-2`; responses carry it in `x-served-by`. */
  readonly name: string
  readonly service: ServiceName
  /** Its address, bypassing the edge; `undefined` while it is down. */
  readonly url: string | undefined
}

interface Member extends Instance {
  readonly process: SupervisedProcess<string>
  /** It is about to stop and gets no new requests. */
  leaving: boolean
}

/** All instances of all services. Tells the edge which of them are up. */
export class ServiceInstances {
  readonly #edge: EdgeProcess
  readonly instances: readonly Member[]
  /**
   * Services whose instances are all up: a client that finds one instance finds all. The others
   * wait for auth behind the edge before they serve.
   */
  readonly #open = new Set<ServiceName>()

  constructor(
    edge: EdgeProcess,
    instancesPerService: number,
    shared: SharedSettings,
    onEvent: (sentence: string) => void,
  ) {
    this.#edge = edge
    this.instances = serviceNames.flatMap((service) =>
      Array.from({ length: instancesPerService }, (_, index) => {
        const name = `${service}-${index + 1}`
        const program = serviceProgram(service, name, shared)
        const onChange = () => void this.#route()
        const process = new SupervisedProcess(program, { onChange, onEvent })
        return {
          ...{ name, service, process, leaving: false },
          get url() {
            return process.value
          },
        }
      }),
    )
  }

  get processes(): readonly SupervisedProcess<string>[] {
    return this.instances.map((member) => member.process)
  }

  /** Starts all instances. Calls `onReady` for each service when all of its instances are ready. */
  async start(onReady: (service: ServiceName, names: string[]) => void): Promise<void> {
    await Promise.all(
      serviceNames.map(async (service) => {
        const members = this.instances.filter((member) => member.service === service)
        await Promise.all(members.map(({ process }) => process.start()))
        this.#open.add(service)
        await this.#route()
        onReady(
          service,
          members.map(({ name }) => name),
        )
      }),
    )
  }

  /** Stops a process. An instance first leaves the edge and answers the requests it has. */
  async stopOne(process: SupervisedProcess<unknown>): Promise<number | null> {
    const member = this.instances.find((candidate) => candidate.process === process)
    if (!member) return process.stop()
    member.leaving = true
    await this.#route()
    const exitCode = await process.stop()
    member.leaving = false
    return exitCode
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.stop()))
  }

  async #route(): Promise<void> {
    const upstreams = (service: ServiceName) =>
      this.instances.flatMap(({ name, url: origin, leaving, ...member }) =>
        member.service === service && origin !== undefined && !leaving ? [{ name, origin }] : [],
      )
    await this.#edge.route(
      Object.fromEntries([...this.#open].map((service) => [service, upstreams(service)])),
    )
  }
}
