//! [`Router`]: handlers by method and path.
//!
//! Patterns are those of `matchit` 0.7, as upstream: `/user/:id` and `/files/*rest`. A path that is registered
//! only for other methods answers 405 (without `Allow`), an unknown path 404. Handlers that are not
//! `async` are function pointers, as upstream, so a closure that captures something compiles
//! neither here nor there.
//!
//! `RouteContext` has no `service` and `bucket`: those bindings are not simulated.
//!
//! A router is usually built for every request, so it is cheap to build and to move: a table with one
//! place per method, allocated where used.

use crate::durable::ObjectNamespace;
use crate::{
    Bucket, Env, Fetcher, KvStore, Method, RateLimiter, Request, Response, Result, Secret, Var,
};
use futures_util::future::LocalBoxFuture;
use matchit::{Match, Params};
use std::fmt;
use std::future::Future;
use std::rc::Rc;

type HandlerFn<D> = fn(Request, RouteContext<D>) -> Result<Response>;
type AsyncHandlerFn<'a, D> =
    Rc<dyn 'a + Fn(Request, RouteContext<D>) -> LocalBoxFuture<'a, Result<Response>>>;
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
        Self::Async(Rc::new(move |request, context| {
            Box::pin(handler(request, context))
        }))
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
        Self(
            params
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
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
        self.params
            .0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
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

    /// A KV namespace.
    ///
    /// # Errors
    /// As [`Env::kv`].
    pub fn kv(&self, binding: &str) -> Result<KvStore> {
        self.env.kv(binding)
    }

    /// A namespace of Durable Objects.
    ///
    /// # Errors
    /// As [`Env::durable_object`].
    pub fn durable_object(&self, binding: &str) -> Result<ObjectNamespace> {
        self.env.durable_object(binding)
    }

    /// A rate limiter.
    ///
    /// # Errors
    /// As [`Env::rate_limiter`].
    pub fn rate_limiter(&self, binding: &str) -> Result<RateLimiter> {
        self.env.rate_limiter(binding)
    }

    /// Service bindings are not simulated.
    ///
    /// # Errors
    /// Always, as [`Env::service`].
    pub fn service(&self, binding: &str) -> Result<Fetcher> {
        self.env.service(binding)
    }

    /// R2 is not simulated.
    ///
    /// # Errors
    /// Always, as [`Env::bucket`].
    pub fn bucket(&self, binding: &str) -> Result<Bucket> {
        self.env.bucket(binding)
    }

    /// A D1 database.
    ///
    /// # Errors
    /// As [`Env::d1`].
    #[cfg(feature = "d1")]
    pub fn d1(&self, binding: &str) -> Result<crate::d1::D1Database> {
        self.env.d1(binding)
    }
}

/// Chooses a handler by method and path.
pub struct Router<'a, D> {
    by_method: [Option<Box<Routes<'a, D>>>; Method::COUNT],
    otherwise: Option<Box<Routes<'a, D>>>,
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
                /// The pattern is not valid, or it collides with another.
                pub fn $sync(self, pattern: &str, func: HandlerFn<D>) -> Self {
                    self.register(pattern, Handler::Sync(func), Method::$method)
                }

                #[doc = concat!("Registers an `async` handler for [`Method::", stringify!($method), "`].")]
                ///
                /// # Panics
                /// The pattern is not valid, or it collides with another.
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
        Self {
            by_method: std::array::from_fn(|_| None),
            otherwise: None,
            data,
        }
    }

    /// Registers a handler for [`Method::Report`].
    ///
    /// # Panics
    /// The pattern is not valid, or it collides with another.
    pub fn report(self, pattern: &str, func: HandlerFn<D>) -> Self {
        self.register(pattern, Handler::Sync(func), Method::Report)
    }

    /// Registers a handler for every method.
    ///
    /// # Panics
    /// The pattern is not valid, or it collides with another.
    pub fn on(self, pattern: &str, func: HandlerFn<D>) -> Self {
        self.register_all(pattern, &Handler::Sync(func))
    }

    /// Registers an `async` handler for every method.
    ///
    /// # Panics
    /// The pattern is not valid, or it collides with another.
    pub fn on_async<T>(
        self,
        pattern: &str,
        func: impl Fn(Request, RouteContext<D>) -> T + 'a,
    ) -> Self
    where
        T: Future<Output = Result<Response>> + 'a,
    {
        self.register_all(pattern, &Handler::boxed(func))
    }

    /// Registers a handler for the paths that are registered under no method.
    ///
    /// # Panics
    /// The pattern is not valid, or it collides with another.
    pub fn or_else_any_method(self, pattern: &str, func: HandlerFn<D>) -> Self {
        self.register_otherwise(pattern, Handler::Sync(func))
    }

    /// Registers an `async` handler for the paths that are registered under no method.
    ///
    /// # Panics
    /// The pattern is not valid, or it collides with another.
    pub fn or_else_any_method_async<T>(
        self,
        pattern: &str,
        func: impl Fn(Request, RouteContext<D>) -> T + 'a,
    ) -> Self
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
        let Self {
            by_method,
            otherwise,
            data,
        } = self;
        let context = |params: Params<'_, '_>| RouteContext {
            data,
            env,
            params: params.into(),
        };
        let own = by_method[req.method().index()]
            .as_ref()
            .and_then(|routes| routes.at(req.path_str()).ok());
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
        if let Some(Match { value, params }) = otherwise
            .as_ref()
            .and_then(|routes| routes.at(req.path_str()).ok())
        {
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
        Method::all().into_iter().fold(self, |router, method| {
            router.register(pattern, handler.clone(), method)
        })
    }

    fn register_otherwise(mut self, pattern: &str, handler: Handler<'a, D>) -> Self {
        if let Err(error) = self
            .otherwise
            .get_or_insert_default()
            .insert(pattern, handler)
        {
            panic!("failed to register route for {pattern} pattern: {error}");
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResponseBody;
    use edgeproof_sim::http::Body;
    use futures_util::FutureExt;
    use http::HeaderMap;
    use url::Url;

    /// Status and body of the answer of `router`.
    fn ask<'a, D: 'a>(router: Router<'a, D>, method: http::Method, path: &str) -> (u16, String) {
        let url = Url::parse("https://a.example").unwrap().join(path).unwrap();
        let request = Request::from_parts(method, url, HeaderMap::new(), Body::default(), None);
        let response = router
            .run(request, Env::new())
            .now_or_never()
            .unwrap()
            .unwrap();
        let ResponseBody::Body(body) = response.body() else {
            panic!("no bytes: {response:?}")
        };
        (
            response.status_code(),
            String::from_utf8(body.clone()).unwrap(),
        )
    }

    fn id<D>(_: Request, context: RouteContext<D>) -> Result<Response> {
        Response::ok(format!(
            "id {:?}, none {:?}",
            context.param("id"),
            context.param("x")
        ))
    }

    fn method_of(request: Request, _: RouteContext<()>) -> Result<Response> {
        Response::ok(request.method().to_string())
    }

    #[test]
    fn a_route_is_chosen_by_method_and_path() {
        let router = || {
            Router::new()
                .get("/user/:id", id)
                .post("/user/:id", method_of)
        };
        assert_eq!(
            ask(router(), http::Method::GET, "/user/7?a=b"),
            (200, "id Some(\"7\"), none None".into())
        );
        assert_eq!(
            ask(router(), http::Method::POST, "/user/7"),
            (200, "POST".into())
        );
        assert_eq!(
            ask(router(), http::Method::PUT, "/user/7"),
            (405, "Method Not Allowed".into())
        );
        assert_eq!(
            ask(router(), http::Method::GET, "/user"),
            (404, "Not Found".into())
        );
    }

    #[test]
    fn async_handlers_may_borrow_and_get_the_data() {
        let greeting = String::from("hello");
        let router = Router::with_data(5_u8).get_async("/*path", |_, context| {
            let greeting = &greeting;
            async move {
                Response::ok(format!(
                    "{greeting} {} {}",
                    context.data,
                    context.param("path").unwrap()
                ))
            }
        });
        assert_eq!(
            ask(router, http::Method::GET, "/a/b"),
            (200, "hello 5 a/b".into())
        );
    }

    #[test]
    fn on_answers_every_method_and_the_fallback_only_unknown_paths() {
        let router = || {
            Router::new()
                .on("/all", method_of)
                .head("/head", method_of)
                .or_else_any_method("/*any", method_of)
        };
        assert_eq!(
            ask(router(), http::Method::TRACE, "/all"),
            (200, "TRACE".into())
        );
        assert_eq!(
            ask(router(), http::Method::PUT, "/other"),
            (200, "PUT".into())
        );
        // Upstream does not count HEAD, OPTIONS and TRACE as knowing a path.
        assert_eq!(
            ask(router(), http::Method::GET, "/head"),
            (200, "GET".into())
        );
        let known = Router::new()
            .get("/known", method_of)
            .or_else_any_method("/*any", method_of);
        assert_eq!(ask(known, http::Method::PUT, "/known").0, 405);
    }

    #[test]
    #[should_panic(expected = "failed to register Get route for /a pattern")]
    fn a_route_is_registered_once() {
        let _ = Router::new().get("/a", method_of).get("/a", method_of);
    }
}
