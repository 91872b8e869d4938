/** What the API answers, from its description; written by `scripts/reference`. */
declare namespace Api {
  /** What a path answers that `Answers` has; anything else where an address has parts of its own. */
  type Answer<P extends string> = P extends keyof Answers ? Answers[P] : any;
  type StateName = "Scheduled" | "Late" | "Pending" | "Running" | "Retrying" | "AwaitingRetry" | "Paused" | "Cancelling" | "Completed" | "Cached" | "Failed" | "TimedOut" | "Crashed" | "Cancelled" | "Skipped";
  interface AccessScreen {
    users: Page_UserView;
    keys: Page_KeyView;
    roles: Record<string, ("read" | "run" | "record" | "track" | "manage-models" | "deploy" | "set-variable" | "set-secret" | "delete-runs" | "set-limits" | "work" | "open-secret" | "manage-access" | "read-audit" | "manage-home")[]>;
    may: ("read" | "run" | "record" | "track" | "manage-models" | "deploy" | "set-variable" | "set-secret" | "delete-runs" | "set-limits" | "work" | "open-secret" | "manage-access" | "read-audit" | "manage-home")[];
  }
  interface AliasStepView {
    id: number;
    at: string;
    name: string;
    alias: string;
    version: number | null;
    previous: number | null;
    how: "set" | "removed" | "rollback" | "override";
    actor: string;
    gate_run_id: string | null;
    reason: string | null;
  }
  interface Approval {
    by?: string[];
    within_s?: number;
    kind: "approval";
  }
  interface ArtifactCard {
    id: number;
    run_id: string;
    run: string;
    flow: string;
    key: string | null;
    kind: string;
    description: string;
    at: string;
    media_type: string | null;
    size_bytes: number;
    data: any;
    whole: boolean;
  }
  interface ArtifactRow {
    id: number;
    run_id: string;
    run: string;
    flow: string;
    key: string | null;
    kind: string;
    description: string;
    at: string;
    media_type: string | null;
    size_bytes: number;
  }
  interface ArtifactScreen {
    artifact: ArtifactCard;
    versions: artifacts_VersionRow[];
  }
  interface ArtifactView {
    id: number;
    run_id: string;
    key: string | null;
    kind: string;
    description: string;
    at: string;
    data: any;
    blob: string | null;
    media_type: string | null;
  }
  interface ArtifactsScreen {
    items: ArtifactRow[];
    next: string | null;
  }
  interface Attention {
    kind: "run" | "late" | "worker";
    title: string;
    cause: string;
    at: string;
    state?: StateName | null;
    run_id?: string | null;
    n_alike?: number;
    query?: string | null;
  }
  interface AuditView {
    id: number;
    at: string;
    actor: string;
    action: string;
    subject: string;
    detail: string;
  }
  interface BetterThanChampion {
    metric: string;
    goal?: "lower" | "higher";
    by?: number;
    data?: string;
    kind: "champion";
  }
  interface CallRow {
    kind: string;
    name: string;
    state: StateName | null;
    no: number | null;
    run_id: string | null;
    task: string | null;
    group: string | null;
  }
  interface Cell {
    no: number;
    states: Record<string, number>;
  }
  interface ChangeView {
    at: string;
    epoch: number;
    attempt: number;
    state: StateName;
    previous: string | null;
    message: string;
  }
  interface CodeView {
    kind: string;
    file: string;
    function: string;
    directory: string;
    location: string;
    revision: string;
  }
  interface ColumnChange {
    name: string;
    psi: number | null;
    missing_before: number;
    missing_after: number;
    mean_before: number | null;
    mean_after: number | null;
  }
  interface ColumnRow {
    name: string;
    type: string;
    n: number;
    n_missing: number;
    mean?: number | null;
    deviation?: number | null;
    least?: number | null;
    median?: number | null;
    most?: number | null;
    begin?: number | null;
    end?: number | null;
    bars?: number[];
    words?: string[];
    n_other?: number;
  }
  interface ColumnView {
    name: string;
    n: number;
    n_missing: number;
    mean?: number | null;
    deviation?: number | null;
    least?: number | null;
    median?: number | null;
    most?: number | null;
    edges?: number[];
    values?: string[];
    counts?: number[];
    n_other?: number;
  }
  interface Coming {
    due_at: string;
    slug: string;
  }
  interface ComparisonScreen {
    runs: TrackingRow[];
    rows: DifferenceRow[];
    n_equal: number;
    n_left_out: number;
    metrics: string[];
  }
  interface DataModel {
    name: string;
    version: number;
    stage: "None" | "Staging" | "Production" | "Archived";
    run_id: string;
    context: string;
    via: "tracking-run" | "flow-run";
  }
  interface DataUse {
    digest: string;
    name: string;
    context: string;
    via: "tracking-run" | "flow-run";
    run_id: string;
  }
  interface DatasetScreen {
    digest: string;
    version: DatasetView | null;
    columns: ColumnRow[];
    n_columns: number;
    has_profile: boolean;
    users: UserRow[];
    models: ModelRow[];
  }
  interface DatasetView {
    digest: string;
    name: string;
    source: string | null;
    n_rows: number | null;
    n_bytes: number;
    created_at: string;
    schema: FieldView[];
  }
  interface DeploymentLine {
    id: string;
    name: string;
    title: string;
    said: string[];
    paused: boolean;
    next_at: string | null;
    parameters: Record<string, any>;
  }
  interface DeploymentRow {
    id: string;
    flow: string;
    name: string;
    title: string;
    description: string;
    tags: string[];
    queue: string | null;
    schedules: ScheduleRow[];
    paused: boolean;
    next_at: string | null;
    last: RunRow | null;
  }
  interface DeploymentScreen {
    deployment: DeploymentView;
    queue: string;
    next: NextTime[];
    runs: RunRow[];
    past: Past[];
    may: ("read" | "run" | "record" | "track" | "manage-models" | "deploy" | "set-variable" | "set-secret" | "delete-runs" | "set-limits" | "work" | "open-secret" | "manage-access" | "read-audit" | "manage-home")[];
  }
  interface DeploymentView {
    id: string;
    flow: string;
    name: string;
    title: string;
    code: CodeView;
    version: string;
    description: string;
    parameters: Record<string, any>;
    parameter_schema: Record<string, any>;
    tags: string[];
    queue: string | null;
    priority: number;
    schedules: TimetableView[];
    concurrency: number | null;
    overlap: string;
    catchup: string;
    skip_if_late_s: number | null;
    crash_retries: number;
    cancel_grace_s: number;
    env: Record<string, string>;
    resources: Record<string, number>;
    paused: boolean;
    created_at: string;
    updated_at: string;
  }
  interface DeploymentsScreen {
    items: DeploymentRow[];
    next: string | null;
    may: ("read" | "run" | "record" | "track" | "manage-models" | "deploy" | "set-variable" | "set-secret" | "delete-runs" | "set-limits" | "work" | "open-secret" | "manage-access" | "read-audit" | "manage-home")[];
  }
  interface DifferenceRow {
    part: "metrics" | "params" | "tags" | "code" | "data" | "environment";
    name: string;
    values: (number | string | null)[];
  }
  interface DifferenceView {
    before: string;
    after: string;
    n_rows_before: number | null;
    n_rows_after: number | null;
    added: FieldView[];
    removed: FieldView[];
    retyped: Retyped[];
    columns: ColumnChange[];
  }
  interface ErrorView {
    type: string;
    message: string;
    trace: string;
    file: string;
    line: number;
    inputs: string;
    task: string;
    hint: string;
  }
  interface EventView {
    id: string;
    kind: string;
    at: string | null;
    run_id: string | null;
    run: string | null;
    data: Record<string, any>;
  }
  interface ExperimentScreen {
    experiment: ExperimentView;
    fields: string[];
    columns: string[];
    best: TrackingRow | null;
    items: TrackingRow[];
    next: string | null;
  }
  interface ExperimentView {
    id: string;
    name: string;
    state: "active" | "deleted";
    created_at: string;
    updated_at: string;
    tags: Record<string, string>;
  }
  interface FieldView {
    name: string;
    type: string;
  }
  interface FileView {
    path: string;
    size_bytes: number;
    media_type: string;
    digest: string;
    at: string;
  }
  interface FlowRow {
    name: string;
    states: Record<string, number>;
    runs: Spark[];
  }
  interface FlowScreen {
    name: string;
    description: string;
    day: Outcomes;
    week: Outcomes;
    p50_s: number | null;
    p95_s: number | null;
    next_at: string | null;
    runs: RunOfFlow[];
    tasks: TaskLine[];
    whole: boolean;
    deployments: DeploymentLine[];
    parameter_schema: Record<string, any>;
    parameters: Record<string, any>;
    file: string;
    function: string;
    version: string;
  }
  interface FlowSummary {
    name: string;
    runs: Spark[];
    day: Outcomes;
    week: Outcomes;
    p50_s: number | null;
    p95_s: number | null;
    next_at: string | null;
    deployments: string[];
    n_deployments: number;
  }
  interface FlowView {
    name: string;
    total: number;
    states: Record<string, number>;
  }
  interface FlowsScreen {
    items: FlowSummary[];
    next: string | null;
  }
  interface Found {
    kind: "flow" | "deployment" | "model" | "run";
    name: string;
    id: string;
    state?: StateName | null;
  }
  interface Gap {
    value: "nan" | "inf" | "-inf";
    step: number;
    after_s: number;
    last_step: number;
    goes_on: boolean;
  }
  interface GateResultView {
    id: number;
    at: string;
    name: string;
    version: number;
    alias: string;
    check: string;
    passed: boolean;
    detail: string;
    champion: number | null;
    gate_run_id: string;
    actor: string;
  }
  interface GateView {
    alias: string;
    champion: number | null;
    gate_run_id: string | null;
    unmet: Record<string, string>;
    results: Record<string, GateResultView>;
  }
  interface GraphScreen {
    nodes: NodeView[];
    edges: [string, string][];
    critical: string[];
    whole: boolean;
  }
  interface HolderRow {
    run_id: string | null;
    name: string;
    n: number;
    until: string | null;
  }
  interface HomeScreen {
    now: string;
    attention: Attention[];
    hours: Hour[];
    running: RunningRow[];
    coming: RunRow[];
    flows: FlowRow[];
    n_workers: number;
    n_runs: number;
  }
  interface Hour {
    at: string;
    states: Record<string, number>;
  }
  interface KeyView {
    id: string;
    user: string;
    name: string | null;
    role: string;
    scopes: string[];
    created_at: string;
    expires_at: string | null;
    last_used_at: string | null;
    revoked: boolean;
  }
  interface LatencyBound {
    max_s: number;
    metric?: string;
    kind: "latency";
  }
  interface Limit {
    name: string;
    slots: number;
    n_taken?: number;
  }
  interface LimitRow {
    name: string;
    slots: number;
    n_taken: number;
    holders: HolderRow[];
  }
  interface Line {
    run_id: string;
    key: string;
    started_at: string;
    points: [number, number, number][];
    gaps: Gap[];
    n_odd: number;
  }
  interface LinkView {
    kind: "flow-run" | "task-run" | "tracking-run";
    ref: string;
    digest: string;
    name: string;
    context: string | null;
    at: string;
  }
  interface LogHits {
    ids: number[];
    next?: number | null;
  }
  interface LogRow {
    id: number;
    at: string;
    level: string;
    no: number;
    task: string | null;
    logger: string;
    text: string;
  }
  interface LogStretch {
    items: LogRow[];
    next?: number | null;
  }
  interface LogView {
    id: number;
    at: string;
    level: string;
    run_id: string;
    task: string | null;
    logger: string;
    text: string;
  }
  interface LoggedRow {
    id: string;
    name: string;
    flavor: string;
    size_bytes: number;
  }
  interface MarkView {
    id: string;
    name: string;
    flow: string;
    state: StateName;
    started_at: string;
    ended_at: string | null;
  }
  interface MetricBound {
    metric: string;
    max?: number | null;
    min?: number | null;
    kind: "metric";
  }
  interface ModelRow {
    name: string;
    version: number;
    stage: "None" | "Staging" | "Production" | "Archived";
    aliases: string[];
    context: string;
    run_id: string;
    flow_run_id: string;
    via: "tracking-run" | "flow-run";
  }
  interface ModelScreen {
    model: ModelView;
    metrics: string[];
    versions: models_VersionRow[];
    next: number | null;
    steps: AliasStepView[];
  }
  interface ModelView {
    name: string;
    description: string;
    n_made: number;
    aliases: Record<string, number>;
    tags: Record<string, string>;
    policy: Policy | null;
    actor: string;
    created_at: string;
    updated_at: string;
  }
  interface NameRow {
    name: string;
    n_versions: number;
    digest: string;
    source: string | null;
    n_rows: number | null;
    n_bytes: number | null;
    at: string | null;
  }
  interface NamesScreen {
    items: NameRow[];
    next: string | null;
  }
  interface NextTime {
    due_at: string;
    local: string;
    timezone: string;
    slug: string;
  }
  interface NodeView {
    id: string;
    name: string;
    kind: string;
    n: number;
    states: Record<string, number>;
    no: number | null;
    task: string | null;
    group: string | null;
    run_id: string | null;
    started_at: string | null;
    ended_at: string | null;
  }
  interface OtherValue {
    name: string;
    value: any;
    usual: any;
  }
  interface Outcomes {
    well: number;
    badly: number;
  }
  interface Page_AliasStepView {
    items: AliasStepView[];
    next?: string | null;
  }
  interface Page_AuditView {
    items: AuditView[];
    next?: string | null;
  }
  interface Page_DatasetView {
    items: DatasetView[];
    next?: string | null;
  }
  interface Page_EventView {
    items: EventView[];
    next?: string | null;
  }
  interface Page_ExperimentView {
    items: ExperimentView[];
    next?: string | null;
  }
  interface Page_FileView {
    items: FileView[];
    next?: string | null;
  }
  interface Page_FlowView {
    items: FlowView[];
    next?: string | null;
  }
  interface Page_GateResultView {
    items: GateResultView[];
    next?: string | null;
  }
  interface Page_KeyView {
    items: KeyView[];
    next?: string | null;
  }
  interface Page_LogView {
    items: LogView[];
    next?: string | null;
  }
  interface Page_ModelView {
    items: ModelView[];
    next?: string | null;
  }
  interface Page_RunView {
    items: RunView[];
    next?: string | null;
  }
  interface Page_SecretView {
    items: SecretView[];
    next?: string | null;
  }
  interface Page_TaskView {
    items: TaskView[];
    next?: string | null;
  }
  interface Page_TrackingRunView {
    items: TrackingRunView[];
    next?: string | null;
  }
  interface Page_UserView {
    items: UserView[];
    next?: string | null;
  }
  interface Page_VersionView {
    items: VersionView[];
    next?: string | null;
  }
  interface PartRow {
    name: string;
    type: string;
    required: boolean;
  }
  interface Past {
    slug: string;
    said: string;
    timezone: string;
    ticks: Tick[];
    older: string | null;
  }
  interface PointView {
    step: number;
    at: string;
    value: number | string;
  }
  interface Policy {
    checks: Record<string, MetricBound | BetterThanChampion | SignatureFits | LatencyBound | TaskPasses | Approval>;
    aliases?: string[];
  }
  interface ProfiledView {
    digest: string;
    name: string;
    source: string | null;
    n_rows: number | null;
    n_bytes: number;
    created_at: string;
    schema: FieldView[];
    columns: ColumnView[];
  }
  interface PromotionView {
    run_id: string;
    alias: string;
    state: StateName;
    at: string;
    failed: Record<string, string>;
    message: string;
  }
  interface QueueView {
    name: string;
    description: string;
    tags: string[];
    deployments: string[];
    concurrency: number | null;
    priority: number;
    paused: boolean;
    n_waiting: number;
    n_late: number;
    n_later: number;
    n_running: number;
    oldest_due_at: string | null;
  }
  interface Reason {
    reason: string | null;
  }
  interface RegisteredRow {
    name: string;
    version: number;
    stage: "None" | "Staging" | "Production" | "Archived";
    aliases: string[];
  }
  interface ResultView {
    kind: string;
    size_bytes: number;
    lost: string | null;
    value?: any;
  }
  interface Retyped {
    name: string;
    before: string;
    after: string;
  }
  interface RunOfFlow {
    id: string;
    name: string;
    state: StateName;
    started_at: string | null;
    duration_s: number | null;
  }
  interface RunRow {
    id: string;
    name: string;
    flow: string;
    deployment: string | null;
    state: StateName;
    message: string;
    expected_at: string;
    started_at: string | null;
    ended_at: string | null;
    worker: string | null;
    tags: string[];
  }
  interface RunScreen {
    run: RunView;
    parent: RunRow | null;
    others: OtherValue[] | null;
    why: string;
    worker_name: string | null;
    counts: TaskCountView[];
    history: ChangeView[];
    logs: LogRow[];
    log_span: [number, number];
    subflows: RunRow[];
    artifacts: ArtifactCard[];
    inputs: views_InputView[];
    tracked: TrackedRow[];
  }
  interface RunView {
    id: string;
    name: string;
    flow: string;
    state: StateName;
    ended: boolean;
    message: string;
    epoch: number;
    attempt: number;
    root_id: string;
    parent_id: string | null;
    created_at: string;
    expected_at: string;
    started_at: string | null;
    ended_at: string | null;
    duration_s: number | null;
    parameters: Record<string, any>;
    tags: string[];
    version: string;
    source: SourceView;
    result: ResultView | null;
    error: ErrorView | null;
    n_reused: number;
    n_logs_dropped: number;
    deployment_id: string | null;
    deployment: string | null;
    queue: string | null;
    priority: number;
    schedule: string | null;
    due_at: string | null;
    worker: string | null;
    asked: string | null;
    n_crashes: number;
    actor: string | null;
  }
  interface RunningRow {
    id: string;
    name: string;
    flow: string;
    deployment: string | null;
    state: StateName;
    message: string;
    expected_at: string;
    started_at: string | null;
    ended_at: string | null;
    worker: string | null;
    tags: string[];
    n_tasks: number;
    n_done: number;
  }
  interface RunsScreen {
    now: string;
    items: RunRow[];
    next: string | null;
    states: Record<string, number>;
    flow: string | null;
  }
  interface ScheduleRow {
    slug: string;
    said: string;
    active: boolean;
  }
  interface SecretView {
    name: string;
    updated_at: string;
    updated_by: string;
  }
  interface SeriesScreen {
    lines: Line[];
  }
  interface ServerView {
    id: string;
    version: string;
    pid: number;
    started_at: string;
    home: string;
    actor: string;
    role: string;
    scopes: string[];
    feed_kinds: string[];
  }
  interface SettingView {
    name: string;
    value: any;
    doc: string;
    origin: string;
  }
  interface SettingsScreen {
    server: ServerView;
    trouble: string;
    storage: StorageView;
    retention: SettingView[];
    may: ("read" | "run" | "record" | "track" | "manage-models" | "deploy" | "set-variable" | "set-secret" | "delete-runs" | "set-limits" | "work" | "open-secret" | "manage-access" | "read-audit" | "manage-home")[];
  }
  interface SignatureFits {
    kind: "signature";
  }
  interface SignatureView {
    inputs: PartRow[] | null;
    outputs: PartRow[] | null;
    params: PartRow[] | null;
  }
  interface SourceView {
    file: string;
    function: string;
    directory: string;
    interpreter: string;
  }
  interface Spark {
    id: string;
    name: string;
    state: StateName;
    duration_s: number | null;
  }
  interface StepView {
    at: string;
    epoch: number;
    attempt: number;
    state: StateName;
    message: string;
  }
  interface StorageView {
    kind: string;
    place: string;
    schema: number;
    size_bytes: number;
    values_place: string;
  }
  interface TaskCountView {
    task: string;
    group: string | null;
    total: number;
    states: Record<string, number>;
  }
  interface TaskLine {
    task: string;
    cells: (Cell | null)[];
  }
  interface TaskPasses {
    task: string;
    kind: "task";
  }
  interface TaskRow {
    no: number;
    task: string;
    name: string;
    group: string | null;
    state: StateName;
    epoch: number;
    attempt: number;
    message: string;
    created_at: string;
    started_at: string | null;
    ended_at: string | null;
    steps?: StepView[];
  }
  interface TaskRows {
    items: TaskRow[];
    next?: string | null;
  }
  interface TaskScreen {
    run_id: string;
    run_name: string;
    flow: string;
    run_ended: boolean;
    file: string;
    task: TaskView;
    created_at: string;
    parent: TaskRow | null;
    inputs: CallRow[];
    n_inputs: number;
    steps: StepView[];
    steps_whole: boolean;
    logs: LogRow[];
    log_span: [number, number];
  }
  interface TaskView {
    run_id: string;
    no: number;
    key: string;
    task: string;
    name: string;
    group: string | null;
    state: StateName;
    message: string;
    epoch: number;
    attempt: number;
    parent_no: number;
    upstream: string[];
    started_at: string | null;
    ended_at: string | null;
    duration_s: number | null;
    tags: string[];
    result: ResultView | null;
    error: ErrorView | null;
  }
  interface Tick {
    at: string;
    local: string;
    run_id: string | null;
    name: string | null;
    state: StateName | null;
    is_backfill: boolean;
  }
  interface TimelineScreen {
    now: string;
    since: string;
    until: string;
    items: MarkView[];
    whole: boolean;
  }
  interface TimetableView {
    slug: string;
    schedule: Record<string, any>;
    said: string;
    parameters: Record<string, any>;
    active: boolean;
  }
  interface TrackedRow {
    id: string;
    name: string;
    experiment: string;
    status: string;
    task_no: number | null;
    started_at: string;
    ended_at: string | null;
    metrics: Record<string, number | string>;
    odd_since: Record<string, number>;
  }
  interface TrackingRow {
    id: string;
    name: string;
    status: "running" | "scheduled" | "finished" | "failed" | "killed";
    started_at: string;
    duration_s: number | null;
    flow_run_id: string | null;
    note: string;
    values: Record<string, number | string>;
  }
  interface TrackingRunView {
    id: string;
    name: string;
    experiment_id: string;
    status: "running" | "scheduled" | "finished" | "failed" | "killed";
    state: "active" | "deleted";
    user: string;
    source: string;
    version: string;
    flow_run_id: string | null;
    task_run_id: string | null;
    parent_id: string | null;
    started_at: string;
    ended_at: string | null;
    duration_s: number | null;
    params: Record<string, string>;
    metrics: Record<string, number>;
    tags: Record<string, string>;
  }
  interface TrackingScreen {
    run: TrackingRunView;
    metrics: Record<string, number | string>;
    odd_since: Record<string, number>;
    experiment: string;
    flow_run: string;
    task_run: string;
    parent: string;
    files: FileView[];
    more_files: boolean;
    inputs: tracking_views_InputView[];
    models: LoggedRow[];
    versions: RegisteredRow[];
  }
  interface UserRow {
    kind: "flow-run" | "tracking-run";
    run_id: string;
    name: string;
    where: string;
    context: string;
    at: string;
  }
  interface UserView {
    name: string;
    role: string;
    disabled: boolean;
    created_at: string;
    updated_at: string;
  }
  interface VariableView {
    name: string;
    value: any;
    tags: string[];
    updated_at: string;
  }
  interface VariablesScreen {
    items: VariableView[];
    next: string | null;
    secrets: Page_SecretView;
    may: ("read" | "run" | "record" | "track" | "manage-models" | "deploy" | "set-variable" | "set-secret" | "delete-runs" | "set-limits" | "work" | "open-secret" | "manage-access" | "read-audit" | "manage-home")[];
  }
  interface VersionOrigin {
    name: string;
    version: number;
    source: string;
    model_id: string;
    run_id: string;
    run_name?: string;
    experiment_id?: string;
    experiment?: string;
    code_version?: string;
    code_file?: string;
    flow_run_id?: string;
    flow_run?: string;
    flow?: string;
    root_run_id?: string;
    task_no?: number;
    task_run?: string;
    task_version?: string;
    data?: DataUse[];
  }
  interface VersionScreen {
    model: ModelView;
    version: VersionView;
    origin: VersionOrigin;
    metrics: Record<string, number | string>;
    signature: SignatureView | null;
    flavor: string;
    requirements: string[];
    size_bytes: number | null;
    promotion: PromotionView | null;
    gates: GateView[];
    checks: GateResultView[];
    steps: AliasStepView[];
  }
  interface VersionView {
    name: string;
    version: number;
    uri: string;
    description: string;
    stage: "None" | "Staging" | "Production" | "Archived";
    aliases: string[];
    tags: Record<string, string>;
    source: string;
    run_id: string | null;
    model_id: string | null;
    flow_run_id: string | null;
    actor: string;
    created_at: string;
    updated_at: string;
  }
  interface WaitingRow {
    run: RunRow;
    queue: string;
    why: string;
  }
  interface WorkerView {
    id: string;
    name: string;
    host: string;
    pid: number;
    queues: string[];
    deployments: string[];
    slots: number;
    n_held: number;
    resources: Record<string, number>;
    version: string;
    joined_at: string;
    seen_at: string;
    lease_until: string;
    left_at: string | null;
    message: string;
  }
  interface WorkersScreen {
    now: string;
    workers: WorkerView[];
    gone: WorkerView[];
    queues: QueueView[];
    limits: LimitRow[];
    waiting: WaitingRow[];
  }
  interface artifacts_VersionRow {
    id: number;
    run_id: string;
    run: string;
    at: string;
  }
  interface models_VersionRow {
    version: number;
    stage: "None" | "Staging" | "Production" | "Archived";
    aliases: string[];
    description: string;
    actor: string;
    created_at: string;
    run_id: string | null;
    run: string;
    experiment: string;
    metrics: Record<string, number | string>;
    promotion: PromotionView | null;
  }
  interface tracking_views_InputView {
    digest: string;
    name: string;
    context: string;
    at: string;
  }
  interface views_InputView {
    key: string;
    asked_at: string;
    until: string | null;
    value_schema: any;
    given_at: string | null;
    value: any;
    actor: string | null;
  }
  interface Answers {
    "api/runs": Page_RunView;
    "api/deployments": DeploymentView[];
    "api/queues": QueueView[];
    "api/limits": Limit[];
    "api/workers": WorkerView[];
    "api/users": Page_UserView;
    "api/keys": Page_KeyView;
    "api/secrets": Page_SecretView;
    "api/audit": Page_AuditView;
    "api/server": ServerView;
    "api/counts": Record<string, number>;
    "api/flows": Page_FlowView;
    "api/variables": VariableView[];
    "api/experiments": Page_ExperimentView;
    "api/tracking-runs": Page_TrackingRunView;
    "api/datasets": Page_DatasetView;
    "api/models": Page_ModelView;
    "api/events": Page_EventView;
    "api/ui/datasets": NamesScreen;
    "api/ui/tracking-runs": ExperimentScreen;
    "api/ui/comparison": ComparisonScreen;
    "api/ui/series": SeriesScreen;
    "api/ui/workers": WorkersScreen;
    "api/ui/deployments": DeploymentsScreen;
    "api/ui/deployment": DeploymentScreen;
    "api/ui/variables": VariablesScreen;
    "api/ui/settings": SettingsScreen;
    "api/ui/access": AccessScreen;
    "api/ui/artifacts": ArtifactsScreen;
    "api/ui/flows": FlowsScreen;
    "api/ui/flow": FlowScreen;
    "api/ui/find": Found[];
    "api/ui/home": HomeScreen;
    "api/ui/runs": RunsScreen;
    "api/ui/timeline": TimelineScreen;
  }
}
