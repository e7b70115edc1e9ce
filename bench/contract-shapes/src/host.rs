//! The host side of every shape. The transport is a stub that answers at once.

use std::collections::HashMap;
use std::future::poll_fn;
use std::hint::black_box;
use std::task::Poll;

use bytes::Bytes;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Result, bail};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::Shapes;
use crate::bindings::flashcrowd::shapes::records::{Method, Reply, Request};
use crate::bindings::flashcrowd::shapes::{checks, methods, others, prepared, records};

/// How a request is sent and counted.
#[derive(Default)]
#[expect(unreachable_pub, reason = "`bindgen!` re-exports it")]
pub struct Params {
    timeout_ns: u64,
    name: Option<String>,
    tags: u32,
}

/// An answer, held until it is dropped.
#[expect(unreachable_pub, reason = "`bindgen!` re-exports it")]
pub struct Response {
    status: u16,
    error_code: u16,
    body: Bytes,
}

/// Shape B's request while it is put together.
#[expect(unreachable_pub, reason = "`bindgen!` re-exports it")]
pub struct Building {
    method: Method,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

/// Shape C's request without its body.
#[expect(unreachable_pub, reason = "`bindgen!` re-exports it")]
pub struct Prepared(Request);

/// What a virtual user's store holds.
pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    /// Where answers are held instead of `table`, if at all: the plainest store there can be.
    slots: Option<Vec<Option<Response>>>,
    /// The answer that shape A3's number stands for.
    latest: Option<Response>,
    /// Every answer's body.
    body: Bytes,
    /// Whether `send` suspends once before it answers, as it does when there is a network.
    suspends: bool,
    check_handles: HashMap<String, u32>,
    /// Results that passed and that did not, by check handle.
    check_counts: Vec<[u64; 2]>,
    /// Requests answered so far.
    pub(crate) sent: u64,
}

impl State {
    pub(crate) fn new(body_bytes: usize, suspends: bool, own_slots: bool) -> Self {
        Self {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            slots: own_slots.then(Vec::new),
            latest: None,
            body: Bytes::from(vec![b'x'; body_bytes]),
            suspends,
            check_handles: HashMap::new(),
            check_counts: Vec::new(),
            sent: 0,
        }
    }

    /// Results recorded by all checks.
    pub(crate) fn checked(&self) -> u64 {
        self.check_counts.iter().flatten().sum()
    }

    fn answer<T>(&mut self, request: T) -> Response {
        black_box(request);
        self.sent += 1;
        Response { status: 200, error_code: 0, body: self.body.clone() }
    }

    async fn suspend(&mut self) {
        let mut ready = !self.suspends;
        poll_fn(|_| if std::mem::replace(&mut ready, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn look_at_params(&self, params: Option<Resource<Params>>) -> Result<()> {
        if let Some(params) = params {
            let params = self.table.get(&params)?;
            black_box((params.timeout_ns, params.name.as_deref(), params.tags));
        }
        Ok(())
    }

    fn hold(&mut self, response: Response) -> Result<Resource<Response>> {
        let Some(slots) = &mut self.slots else {
            return Ok(self.table.push(response)?);
        };
        let free = slots.iter().position(Option::is_none).unwrap_or_else(|| {
            slots.push(None);
            slots.len() - 1
        });
        slots[free] = Some(response);
        Ok(Resource::new_own(free as u32))
    }

    fn release(&mut self, response: Resource<Response>) -> Result<()> {
        match &mut self.slots {
            Some(slots) => slots[response.rep() as usize] = None,
            None => drop(self.table.delete(response)?),
        }
        Ok(())
    }

    fn reply(&mut self, response: Response) -> Result<Reply> {
        Ok(Reply { status: response.status, error_code: response.error_code, response: self.hold(response)? })
    }

    /// All of shape A's `send` but its suspension.
    fn send_now(&mut self, request: Request, params: Option<Resource<Params>>) -> Result<Reply> {
        self.look_at_params(params)?;
        let response = self.answer(request);
        self.reply(response)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl records::Host for State {
    async fn send(&mut self, request: Request, params: Option<Resource<Params>>) -> Result<Reply> {
        self.suspend().await;
        self.send_now(request, params)
    }
}

impl records::HostParams for State {
    fn new(&mut self) -> Result<Resource<Params>> {
        Ok(self.table.push(Params::default())?)
    }

    fn set_timeout(&mut self, params: Resource<Params>, nanoseconds: u64) -> Result<()> {
        self.table.get_mut(&params)?.timeout_ns = nanoseconds;
        Ok(())
    }

    fn set_name(&mut self, params: Resource<Params>, name: String) -> Result<()> {
        self.table.get_mut(&params)?.name = Some(name);
        Ok(())
    }

    fn set_tags(&mut self, params: Resource<Params>, tags: u32) -> Result<()> {
        self.table.get_mut(&params)?.tags = tags;
        Ok(())
    }

    fn drop(&mut self, params: Resource<Params>) -> Result<()> {
        self.table.delete(params)?;
        Ok(())
    }
}

impl records::HostResponse for State {
    fn body(&mut self, response: Resource<Response>) -> Result<Vec<u8>> {
        Ok(self.table.get(&response)?.body.to_vec())
    }

    fn drop(&mut self, response: Resource<Response>) -> Result<()> {
        self.release(response)
    }
}

impl others::Host for State {
    async fn send(&mut self, request: Request, params: Option<Resource<Params>>) -> Result<others::Reply> {
        self.suspend().await;
        self.look_at_params(params)?;
        let Response { status, error_code, body } = self.answer(request);
        Ok(others::Reply { status, error_code, body: body.to_vec() })
    }

    async fn send_tagged(&mut self, request: others::Tagged, params: Option<Resource<Params>>) -> Result<Reply> {
        self.suspend().await;
        self.look_at_params(params)?;
        let response = self.answer(request);
        self.reply(response)
    }

    async fn send_interned(&mut self, request: others::Interned, params: Option<Resource<Params>>) -> Result<Reply> {
        self.suspend().await;
        self.look_at_params(params)?;
        let response = self.answer(request);
        self.reply(response)
    }

    async fn send_numbered(&mut self, request: Request, params: Option<Resource<Params>>) -> Result<others::Numbered> {
        self.suspend().await;
        self.look_at_params(params)?;
        let response = self.answer(request);
        let (status, error_code) = (response.status, response.error_code);
        self.latest = Some(response);
        Ok(others::Numbered { status, error_code, response: self.sent as u32 })
    }
}

impl methods::Host for State {}

impl methods::HostRequest for State {
    fn new(&mut self, method: Method, url: String) -> Result<Resource<Building>> {
        Ok(self.table.push(Building { method, url, headers: Vec::new(), body: None })?)
    }

    fn header(&mut self, request: Resource<Building>, name: String, value: Vec<u8>) -> Result<()> {
        self.table.get_mut(&request)?.headers.push((name, value));
        Ok(())
    }

    fn body(&mut self, request: Resource<Building>, body: Vec<u8>) -> Result<()> {
        self.table.get_mut(&request)?.body = Some(body);
        Ok(())
    }

    async fn send(&mut self, request: Resource<Building>) -> Result<Resource<Response>> {
        self.suspend().await;
        let building = self.table.get(&request)?;
        black_box((&building.method, &building.url, &building.headers, &building.body));
        let response = self.answer(());
        self.hold(response)
    }

    fn drop(&mut self, request: Resource<Building>) -> Result<()> {
        self.table.delete(request)?;
        Ok(())
    }
}

impl methods::HostResponse for State {
    fn status(&mut self, response: Resource<Response>) -> Result<u16> {
        Ok(self.table.get(&response)?.status)
    }

    fn drop(&mut self, response: Resource<Response>) -> Result<()> {
        self.release(response)
    }
}

impl prepared::Host for State {}

impl prepared::HostPrepared for State {
    fn new(&mut self, request: Request) -> Result<Resource<Prepared>> {
        Ok(self.table.push(Prepared(request))?)
    }

    async fn send(&mut self, prepared: Resource<Prepared>, body: Option<Vec<u8>>) -> Result<Reply> {
        self.suspend().await;
        black_box(&self.table.get(&prepared)?.0);
        let response = self.answer(body);
        self.reply(response)
    }

    fn drop(&mut self, prepared: Resource<Prepared>) -> Result<()> {
        self.table.delete(prepared)?;
        Ok(())
    }
}

impl checks::Host for State {
    fn intern(&mut self, name: String) -> Result<u32> {
        let next = self.check_handles.len() as u32;
        let handle = *self.check_handles.entry(name).or_insert(next);
        if handle == next {
            self.check_counts.push([0; 2]);
        }
        Ok(handle)
    }

    fn add(&mut self, check: u32, passed: bool, _tags: u32) -> Result<()> {
        self.check_counts[check as usize][usize::from(passed)] += 1;
        Ok(())
    }

    fn add_named(&mut self, name: String, passed: bool, tags: u32) -> Result<()> {
        let check = match self.check_handles.get(&name) {
            Some(known) => *known,
            None => self.intern(name)?,
        };
        self.add(check, passed, tags)
    }
}

/// Links every shape, with `send` as an `async` host function.
pub(crate) fn link_async(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    Shapes::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

/// The other shapes' requests, which [`link_sync`] leaves out.
const OTHER_SENDS: [(&str, &str); 6] = [
    ("flashcrowd:shapes/others", "send"),
    ("flashcrowd:shapes/others", "send-numbered"),
    ("flashcrowd:shapes/others", "send-tagged"),
    ("flashcrowd:shapes/others", "send-interned"),
    ("flashcrowd:shapes/methods", "[method]request.send"),
    ("flashcrowd:shapes/prepared", "[method]prepared.send"),
];

/// Links shape A alone, with `send` as a plain host function: nothing in the store may suspend.
pub(crate) fn link_sync(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    Shapes::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    linker.allow_shadowing(true);
    for (interface, function) in OTHER_SENDS {
        linker
            .instance(interface)?
            .func_new(function, move |_, _, _, _| bail!("{interface} {function} is not linked"))?;
    }
    linker
        .instance("flashcrowd:shapes/records")?
        .func_wrap("send", |mut store, (request, params)| Ok((store.data_mut().send_now(request, params)?,)))
}
