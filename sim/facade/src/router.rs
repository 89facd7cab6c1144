//! [`Router`]: handlers by method and path.
//!
//! Patterns are those of `matchit` 0.7, as upstream: `/user/:id` and `/files/*rest`. A path that only other methods know answers
//! 405 (without `Allow`), an unknown one 404. Handlers that are not `async` are function pointers, as upstream, so that a closure
//! which captures something compiles on neither side.
//!
//! A router is usually built for every request, so it is cheap to build: a table with one place per method, allocated where used.

use crate::{Env, Method, Request, Response, Result, Secret, Var};
use futures_util::future::LocalBoxFuture;
use matchit::{Match, Params};
use std::fmt;
use std::future::Future;
use std::rc::Rc;

type HandlerFn<D> = fn(Request, RouteContext<D>) -> Result<Response>;
type AsyncHandlerFn<'a, D> = Rc<dyn 'a + Fn(Request, RouteContext<D>) -> LocalBoxFuture<'a, Result<Response>>>;
type Routes<'a, D> = matchit::Router<Handler<'a, D>>;

enum Handler<'a, D> {
    Async(AsyncHandlerFn<'a, D>),
    Sync(HandlerFn<D>),
}

impl<D> Clone for Handler<'_, D> {
    fn clone(&self) -> Self {
        match self {
            Self::Async(handler) => Self::Async(Rc::clone(handler)),
            Self::Sync(handler) => Self::Sync(*handler),
        }
    }
}

impl<'a, D: 'a> Handler<'a, D> {
    fn boxed<T>(handler: impl Fn(Request, RouteContext<D>) -> T + 'a) -> Self
    where
        T: Future<Output = Result<Response>> + 'a,
    {
        Self::Async(Rc::new(move |request, context| Box::pin(handler(request, context))))
    }

    async fn call(&self, request: Request, context: RouteContext<D>) -> Result<Response> {
        match self {
            Self::Sync(handler) => handler(request, context),
            Self::Async(handler) => handler(request, context).await,
        }
    }
}

/// The parameters of a route, as `id` in `/user/:id`.
#[derive(Debug)]
pub struct RouteParams(Vec<(String, String)>);

impl From<Params<'_, '_>> for RouteParams {
    fn from(params: Params<'_, '_>) -> Self {
        Self(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// What a handler gets besides the request.
#[derive(Debug)]
pub struct RouteContext<D> {
    /// The router's data.
    pub data: D,
    /// The bindings.
    pub env: Env,
    params: RouteParams,
}

impl<D> RouteContext<D> {
    /// A parameter of the path.
    pub fn param(&self, key: &str) -> Option<&String> {
        self.params.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// A secret.
    ///
    /// # Errors
    /// As [`Env::secret`].
    pub fn secret(&self, binding: &str) -> Result<Secret> {
        self.env.secret(binding)
    }

    /// A variable.
    ///
    /// # Errors
    /// As [`Env::var`].
    pub fn var(&self, binding: &str) -> Result<Var> {
        self.env.var(binding)
    }
}

/// Chooses a handler by method and path.
pub struct Router<'a, D> {
    by_method: [Option<Routes<'a, D>>; Method::COUNT],
    otherwise: Option<Routes<'a, D>>,
    data: D,
}

impl fmt::Debug for Router<'_, ()> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish()
    }
}

impl Router<'_, ()> {
    /// A router without data.
    #[allow(clippy::new_without_default, reason = "upstream has no Default either")]
    pub fn new() -> Self {
        Self::with_data(())
    }
}

/// The pairs of methods that register a handler for one request method.
macro_rules! verbs {
    ($($sync:ident, $with_future:ident, $method:ident;)*) => {
        impl<'a, D: 'a> Router<'a, D> {
            $(
                #[doc = concat!("Registers a handler for [`Method::", stringify!($method), "`].")]
                ///
                /// # Panics
                /// When the pattern is not valid or collides with another.
                pub fn $sync(self, pattern: &str, func: HandlerFn<D>) -> Self {
                    self.register(pattern, Handler::Sync(func), Method::$method)
                }

                #[doc = concat!("Registers an `async` handler for [`Method::", stringify!($method), "`].")]
                ///
                /// # Panics
                /// When the pattern is not valid or collides with another.
                pub fn $with_future<T>(self, pattern: &str, func: impl Fn(Request, RouteContext<D>) -> T + 'a) -> Self
                where
                    T: Future<Output = Result<Response>> + 'a,
                {
                    self.register(pattern, Handler::boxed(func), Method::$method)
                }
            )*
        }
    };
}

verbs! {
    head, head_async, Head;
    get, get_async, Get;
    post, post_async, Post;
    put, put_async, Put;
    patch, patch_async, Patch;
    delete, delete_async, Delete;
    options, options_async, Options;
}

impl<'a, D: 'a> Router<'a, D> {
    /// A router whose handlers get `data`.
    pub fn with_data(data: D) -> Self {
        Self { by_method: std::array::from_fn(|_| None), otherwise: None, data }
    }

    /// Registers a handler for [`Method::Report`].
    ///
    /// # Panics
    /// When the pattern is not valid or collides with another.
    pub fn report(self, pattern: &str, func: HandlerFn<D>) -> Self {
        self.register(pattern, Handler::Sync(func), Method::Report)
    }

    /// Registers a handler for every method.
    ///
    /// # Panics
    /// When the pattern is not valid or collides with another.
    pub fn on(self, pattern: &str, func: HandlerFn<D>) -> Self {
        self.register_all(pattern, &Handler::Sync(func))
    }

    /// Registers an `async` handler for every method.
    ///
    /// # Panics
    /// When the pattern is not valid or collides with another.
    pub fn on_async<T>(self, pattern: &str, func: impl Fn(Request, RouteContext<D>) -> T + 'a) -> Self
    where
        T: Future<Output = Result<Response>> + 'a,
    {
        self.register_all(pattern, &Handler::boxed(func))
    }

    /// Registers a handler for paths no other handler knows under any method.
    ///
    /// # Panics
    /// When the pattern is not valid or collides with another.
    pub fn or_else_any_method(self, pattern: &str, func: HandlerFn<D>) -> Self {
        self.register_otherwise(pattern, Handler::Sync(func))
    }

    /// Registers an `async` handler for paths no other handler knows under any method.
    ///
    /// # Panics
    /// When the pattern is not valid or collides with another.
    pub fn or_else_any_method_async<T>(self, pattern: &str, func: impl Fn(Request, RouteContext<D>) -> T + 'a) -> Self
    where
        T: Future<Output = Result<Response>> + 'a,
    {
        self.register_otherwise(pattern, Handler::boxed(func))
    }

    /// Answers a request.
    ///
    /// # Errors
    /// What the handler answers.
    pub async fn run(self, req: Request, env: Env) -> Result<Response> {
        let Self { by_method, otherwise, data } = self;
        let context = |params: Params<'_, '_>| RouteContext { data, env, params: params.into() };
        let own = by_method[req.method().index()].as_ref().and_then(|routes| routes.at(req.path_str()).ok());
        if let Some(Match { value, params }) = own {
            let context = context(params);
            return value.call(req, context).await;
        }
        let known = Method::all()
            .into_iter()
            // A path that only these know is unknown to upstream too.
            .filter(|method| !matches!(method, Method::Head | Method::Options | Method::Trace))
            .filter_map(|method| by_method[method.index()].as_ref())
            .any(|routes| routes.at(req.path_str()).is_ok());
        if known {
            return Response::error("Method Not Allowed", 405);
        }
        if let Some(Match { value, params }) = otherwise.as_ref().and_then(|routes| routes.at(req.path_str()).ok()) {
            let context = context(params);
            return value.call(req, context).await;
        }
        Response::error("Not Found", 404)
    }

    fn register(mut self, pattern: &str, handler: Handler<'a, D>, method: Method) -> Self {
        let routes = self.by_method[method.index()].get_or_insert_default();
        if let Err(error) = routes.insert(pattern, handler) {
            panic!("failed to register {method:?} route for {pattern} pattern: {error}");
        }
        self
    }

    fn register_all(self, pattern: &str, handler: &Handler<'a, D>) -> Self {
        Method::all().into_iter().fold(self, |router, method| router.register(pattern, handler.clone(), method))
    }

    fn register_otherwise(mut self, pattern: &str, handler: Handler<'a, D>) -> Self {
        if let Err(error) = self.otherwise.get_or_insert_default().insert(pattern, handler) {
            panic!("failed to register route for {pattern} pattern: {error}");
        }
        self
    }
}
